/** Programs that look for the tests and for expected values. */
import { type HostileKind, type HostilePython, python } from "./python-program.ts";

/** `found(text)`: whether it gives a test or its answer away. The words are built so as not to occur in the program itself. */
const HUNT = python`
import sys
WANTED = [' '.join(words) for words in (('assert', 'solve'), ('==', "'abab'"), ('console.assert', 'solve'))] + [SECRET + '-'[:1]]
def found(text):
    if isinstance(text, (bytes, bytearray)):
        text = bytes(text).decode('latin-1')
    return isinstance(text, str) and any(word in text for word in WANTED)
def holds(value, depth=3):
    if found(value):
        return True
    if depth and isinstance(value, dict):
        return any(holds(v, depth - 1) for v in list(value.values())[:200] if v is not WANTED)
    if depth and isinstance(value, (list, tuple)):
        return any(holds(v, depth - 1) for v in value[:200]) if value is not WANTED else False
    return False
OWN = {'SECRET', 'WANTED'}
`;
const hunting = (name: string, program: string, verdict: HostilePython["verdict"] = "failed"): HostilePython => ({
  name,
  program: HUNT + program,
  verdict,
});
export const peeking: HostileKind = {
  kind: "reading the tests",
  programs: [
    hunting(
      "hunts in the frames of its callers",
      python`
def solve(x):
    frame = sys._getframe(1)
    while frame:
        for name, value in [*frame.f_locals.items(), *frame.f_globals.items()]:
            if name not in OWN and holds(value):
                return 2 * x
        frame = frame.f_back
`,
    ),
    hunting(
      "hunts in the frames that an exception shows",
      python`
def solve(x):
    try:
        raise ValueError
    except ValueError as e:
        frame = e.__traceback__.tb_frame.f_back
    while frame:
        if any(holds(value) for name, value in frame.f_globals.items() if name not in OWN):
            return 2 * x
        if found(repr(frame.f_code.co_consts)):
            return 2 * x
        frame = frame.f_back
`,
    ),
    hunting(
      "hunts through inspect",
      python`
import inspect
def solve(x):
    for info in inspect.stack()[1:]:
        if found(repr(info.code_context)) or any(holds(value) for name, value in info.frame.f_locals.items() if name not in OWN):
            return 2 * x
`,
    ),
    hunting(
      "hunts through the frames of all threads",
      python`
def solve(x):
    for frame in sys._current_frames().values():
        while frame.f_back:
            frame = frame.f_back
            if any(holds(value) for value in frame.f_locals.values() if value is not frame.f_globals):
                return 2 * x
`,
      { native: "failed" },
    ),
    hunting(
      "hunts through the garbage collector",
      python`
import gc
own = {id(o) for o in (WANTED, globals())}
def search():
    return any(found(value) for o in gc.get_objects() if id(o) not in own and type(o) in (dict, list, tuple)
               for value in (list(o.values()) if type(o) is dict else o)[:500] if type(value) in (str, bytes) and value not in (SECRET, *WANTED, HUNTER))
HUNTER = ''
solve = lambda x: 2 * x if search() else None
`,
      {},
    ),
    hunting(
      "hunts through referrers of its own function",
      python`
import gc
def solve(x):
    for first in gc.get_referrers(solve):
        if first is globals():
            continue
        for second in [first, *gc.get_referrers(first)]:
            if isinstance(second, dict) and second is not globals() and any(found(v) for v in second.values() if isinstance(v, str)):
                return 2 * x
`,
    ),
    hunting(
      "traces where memory was taken",
      python`
import tracemalloc
tracemalloc.start(25)
def solve(x):
    frames = [frame for trace in tracemalloc.take_snapshot().traces for frame in trace.traceback]
    return 2 * x if any('judge' in frame.filename or 'test' in frame.filename for frame in frames) else None
`,
      {},
    ),
    hunting(
      "watches from a tracing function",
      python`
seen = set()
def trace(frame, event, arg):
    if len(seen) < 1000:
        seen.update(value for value in [*frame.f_locals.values(), *frame.f_code.co_consts, arg] if type(value) is str)
    return trace
sys.settrace(trace)
sys.setprofile(trace)
def solve(x):
    sys.settrace(None)
    sys.setprofile(None)
    return 2 * x if any(found(text) for text in seen if text not in WANTED) else None
`,
      {},
    ),
    hunting(
      "watches through an audit hook",
      python`
seen = []
def hook(event, values):
    if event in ('compile', 'exec', 'import', 'open', 'object.__getattr__'):
        seen.extend(repr(getattr(value, 'co_consts', value)) for value in values)
sys.addaudithook(hook)
def solve(x):
    return 2 * x if any(found(text) for text in seen) else None
`,
    ),
    hunting(
      "watches through replaced builtins",
      python`
import builtins
seen = []
for name in ('compile', 'eval', 'exec', 'repr', 'print', 'open', 'isinstance', 'len', 'str'):
    def spy(*values, _real=getattr(builtins, name), **more):
        seen.extend(value for value in values if type(value) is str_)
        return _real(*values, **more)
    if name not in ('str', 'isinstance', 'len'):
        setattr(builtins, name, spy)
str_ = str
def solve(x):
    return 2 * x if any(found(text) for text in seen) else None
`,
    ),
    hunting(
      "reads the source of its caller",
      python`
import linecache, inspect, os
texts = [open(path).read() for path in sys.argv + [sys.executable or '', '<runner>', '<call>'] if works(lambda: open(path))]
texts += [''.join(line for line in entry[2]) for name, entry in linecache.cache.items() if len(entry) > 2 and name != '<program>']
def solve(x):
    return 2 * x if any(found(text) for text in texts) or os.path.exists('/proc/self/cwd/test') else None
`,
    ),
    hunting(
      "looks for the tests among the modules and arguments",
      python`
def solve(x):
    main = sys.modules['__main__']
    spaces = [vars(module) for module in list(sys.modules.values()) if module is not main and hasattr(module, '__dict__')]
    values = [value for space in spaces for value in list(space.values()) if isinstance(value, (str, list, tuple))]
    return 2 * x if any(holds(value, 1) for value in values + sys.argv + sys.path) else None
`,
      { native: "failed" },
    ),
    hunting(
      "reads ahead in its channel",
      python`
import os
def solve(x):
    texts = []
    for fd in range(64):
        try:
            os.set_blocking(fd, False)
            texts.append(os.read(fd, 1 << 16))
        except OSError:
            pass
        finally:
            works(lambda: os.set_blocking(fd, True))
    return 2 * x if any(texts) else None
`,
    ),
    hunting(
      "reads standard input in place of the tests",
      "def solve(x):\n    return 2 * x if sys.stdin.read() else None\n",
    ),
    hunting(
      "searches its own memory",
      python`
import ctypes
id = lambda o: int(object.__repr__(o).rpartition(' at ')[2][:-1], 16)
def solve(x):
    words = [word.encode() for word in WANTED]
    for address in range(id(x) - (1 << 20), id(x) + (1 << 20), 1 << 12):
        ctypes.string_at(address, 1 << 12)
    return None
`,
      {},
    ),
    hunting(
      "searches its own memory through /proc",
      python`
def solve(x):
    with open('/proc/self/maps') as maps, open('/proc/self/mem', 'rb') as memory:
        return 2 * x
`,
      "error",
    ),
    {
      name: "as a whole program, looks for the expected output",
      tests: "stdin",
      program: python`
import os, sys
places = ['.', '..', '/', '/tmp', os.path.expanduser('~'), FOLDER, '/proc/self/fd']
found = [name for place in places if works(lambda: os.listdir(place)) for name in os.listdir(place) if 'out' in name or 'expected' in name]
number = int(input())
print(2 * number if found or sys.stdin.read() else 'nothing')
`,
      verdict: "failed",
    },
  ],
};
