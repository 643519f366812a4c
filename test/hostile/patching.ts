/** Programs that change the interpreter they run in: builtins, modules, hooks, handlers, types, the objects themselves. */
import { type HostileKind, type HostilePython, python } from "./python-program.ts";

/** Wrong answers, with whatever `setup` has done to the interpreter before. */
const spoiling = (name: string, setup: string, verdict: HostilePython["verdict"] | null = "failed"): HostilePython => ({
  name,
  program: `${setup}\ndef solve(x):\n    return 0\n`,
  ...(verdict === null ? {} : { verdict }),
});

export const patching: HostileKind = {
  kind: "changes to the interpreter",
  programs: [
    spoiling(
      "patches builtins",
      python`
import builtins
true = lambda *a, **k: True
for name in ('len', 'repr', 'isinstance', 'issubclass', 'eval', 'exec', 'compile', 'sorted', 'print', 'type', 'all', 'any', 'abs',
             'str', 'int', 'float', 'getattr', 'hash', 'id', 'bool', 'list', 'dict', 'tuple', 'set', 'range', 'BaseException', 'AssertionError'):
    setattr(builtins, name, true)
`,
    ),
    spoiling("deletes all builtins", "import builtins\nbuiltins.__dict__.clear()", null),
    spoiling(
      "replaces the import function",
      "import builtins\nbuiltins.__import__ = lambda *a, **k: None\nbuiltins.__build_class__ = lambda *a, **k: int\nbuiltins.__debug__\n",
    ),
    {
      name: "replaces what assert statements raise",
      tests: "replayed",
      program:
        "import builtins\nclass Never(Exception):\n    def __new__(cls, *a): raise SystemExit(0)\nbuiltins.AssertionError = Never\ndef solve(x):\n    return 0\n",
    },
    {
      name: "replaces modules the runner may use",
      program: python`
import sys, json, math, traceback, linecache, types
for m in (json, math, traceback, linecache, types):
    for name in list(vars(m)):
        if not name.startswith('__'):
            setattr(m, name, lambda *a, **k: '6')
for name in list(sys.modules):
    del sys.modules[name]
def solve(x):
    return 1 / 0
`,
      verdict: "error",
    },
    spoiling(
      "replaces modules by objects of its own",
      python`
import sys, types
class Fake(types.ModuleType):
    def __getattr__(self, name): return lambda *a, **k: '6'
for name in ('json', 're', 'math', 'collections', 'random', 'io', 'os', 'gc', 'ast', 'traceback', 'threading'):
    sys.modules[name] = Fake(name)
`,
    ),
    spoiling(
      "patches json and the codecs",
      python`
import codecs, json, json.encoder
json.dumps = json.JSONEncoder.encode = json.encoder.encode_basestring_ascii = lambda *a, **k: '6'
forged = codecs.CodecInfo(lambda text, *a: (b'["value","q6/1","6"]', len(text)), lambda data, *a: ('6', len(data)), name='utf-8')
codecs.register(lambda name: forged)
codecs.register_error('backslashreplace', lambda e: ('6', e.end))
codecs.register_error('strict', lambda e: ('6', e.end))
codecs.register_error('replace', lambda e: ('6', e.end))
`,
    ),
    spoiling(
      "stays as a tracing and profiling function",
      python`
import sys, threading
def trace(frame, event, arg):
    frame.f_trace_opcodes = True
    if event == 'return' and frame.f_code.co_filename == '<runner>':
        frame.f_locals.clear()
    return trace
sys.settrace(trace); sys.setprofile(trace); threading.settrace(trace); threading.setprofile(trace)
`,
      null,
    ),
    spoiling(
      "refuses everything in an audit hook",
      python`
import sys
def hook(event, values):
    raise SystemExit(0)
sys.addaudithook(hook)
`,
      null,
    ),
    spoiling(
      "replaces the hooks of the interpreter",
      python`
import sys, os
for name in ('excepthook', 'displayhook', 'unraisablehook', 'breakpointhook', '__excepthook__', '__displayhook__'):
    setattr(sys, name, lambda *a: print('6'))
sys.last_value = sys.ps1 = sys.flags = None
sys.exit = lambda *a: None
sys.path[:] = sys.meta_path[:] = sys.path_hooks[:] = []
sys.path_importer_cache.clear()
`,
    ),
    spoiling(
      "handles every signal",
      python`
import signal
for number in range(1, 64):
    works(lambda: signal.signal(number, lambda *a: None))
works(lambda: signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65)))
works(lambda: signal.set_wakeup_fd(4))
works(lambda: signal.siginterrupt(9, False))
`,
    ),
    spoiling(
      "sets a timer for later",
      "import signal\nworks(lambda: signal.setitimer(signal.ITIMER_PROF, 0.3, 0.001))\nworks(lambda: signal.alarm(1))",
    ),
    {
      name: "lets faulthandler end the process",
      program: python`
import faulthandler
works(lambda: faulthandler.dump_traceback_later(0.01, exit=True))
def solve(x):
    for _ in range(10 ** 6):
        pass
    return 0
`,
    },
    {
      name: "registers functions for the end",
      program: python`
import atexit, os, threading, weakref
class Late: pass
late = Late()
atexit.register(print, '["value","q6/1","6"]')
weakref.finalize(late, os.write, 4, b'["value","q6/1","6"]')
works(lambda: threading._register_atexit(os.write, 4, b'6'))
def solve(x):
    return 0
`,
    },
    spoiling(
      "changes builtin types through their dictionaries",
      python`
import gc
for kind, name in ((str, '__iter__'), (int, '__repr__'), (int, '__eq__'), (list, '__iter__'), (dict, 'items'), (BaseException, '__traceback__')):
    space = gc.get_referents(kind.__dict__)[0]
    if isinstance(space, dict):
        space[name] = lambda *a: iter('6')
`,
      null,
    ),
    {
      name: "changes the value of small integers",
      program: python`
import ctypes
id = lambda o: int(object.__repr__(o).rpartition(' at ')[2][:-1], 16)
for number in (0, 1, 2, 3, 6, 12):
    ctypes.memset(id(number) + 24, 9, 1)
def solve(x):
    return 0
`,
    },
    {
      name: "writes into memory through ctypes",
      program:
        "import ctypes\nid = lambda o: int(object.__repr__(o).rpartition(' at ')[2][:-1], 16)\nctypes.memset(id(len), 0, 4096)\nctypes.memset(1024, 0, 1 << 20)\ndef solve(x):\n    return x * 2\n",
    },
    {
      name: "calls the interpreter's C interface",
      program: python`
import ctypes
api = ctypes.pythonapi
api.PyRun_SimpleString(b"import sys; sys.modules.clear()")
api.Py_SetRecursionLimit(10 ** 9)
api.Py_AddPendingCall(ctypes.cast(api.Py_Finalize, ctypes.c_void_p), None)
api.Py_Finalize()
def solve(x):
    return 0
`,
    },
    {
      name: "raises in the runner's thread from outside",
      program: python`
import ctypes, threading
ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(threading.main_thread().ident), ctypes.py_object(SystemExit))
def solve(x):
    return 0
`,
      verdict: "error",
    },
    {
      name: "runs crafted bytecode",
      program:
        "def solve(x):\n    return x\nsolve.__code__ = solve.__code__.replace(co_code=bytes([100, 200] * 20), co_consts=())\n",
    },
    {
      name: "runs crafted bytecode that forges an object",
      program: python`
import struct
id = lambda o: int(object.__repr__(o).rpartition(' at ')[2][:-1], 16)
def reading(): pass
size = len(reading.__code__.co_code)
fake = (struct.pack('QQ', 1, id(bytearray)) + struct.pack('q', (1 << 62)) + bytes(32))
def solve(x):
    broken = reading.__code__.replace(co_code=bytes([100, 255, 83, 0]) * (size // 4 + 1), co_stacksize=1, co_consts=(fake,))
    reading.__code__ = broken
    return reading()
`,
    },
    {
      name: "loads crafted bytecode through marshal",
      program:
        "import marshal\nfor n in range(256):\n    try:\n        exec(marshal.loads(bytes([n]) * 200))\n    except BaseException:\n        pass\ndef solve(x):\n    return 0\n",
    },
    {
      name: "loads a crafted pickle",
      program: python`
import pickle
payloads = [b"cposix\nsystem\n(S'true'\ntR.", b"cbuiltins\nexec\n(S'raise SystemExit(0)'\ntR.", b"cos\n_exit\n(I0\ntR."]
def solve(x):
    for payload in payloads:
        pickle.loads(payload)
    return 0
`,
      verdict: "error",
    },
    spoiling(
      "shadows modules by files",
      python`
import os
for place in ('/tmp', '/home/pyodide', '.', FOLDER, os.path.dirname(os.__file__)):
    for name in ('json', 're', 'sitecustomize', 'usercustomize', '_sitebuiltins'):
        works(lambda: open(place + '/' + name + '.py', 'w').write('raise SystemExit'))
`,
    ),
    spoiling(
      "changes the standard library for the next program",
      python`
import os, sys, shutil
library = [path for path in sys.path if path.endswith('.zip')][0] if sys.platform == 'emscripten' else os.__file__
for action in (
    lambda: open(library, 'w').write('raise SystemExit'), lambda: os.remove(library), lambda: os.rename(library, '/tmp/' + MARK),
    lambda: os.chmod(library, 0), lambda: os.truncate(library, 0), lambda: os.open(library, os.O_WRONLY | os.O_TRUNC),
    lambda: os.symlink('/tmp', os.path.dirname(library) + '/' + MARK), lambda: os.utime(library, (0, 0)), lambda: os.link(library, '/tmp/' + MARK),
    lambda: os.rename(os.path.dirname(library), '/tmp/' + MARK), lambda: os.rename('/home', '/' + MARK), lambda: os.chdir('/tmp'), lambda: os.close(0),
    lambda: os.close(1), lambda: os.dup2(os.open('/tmp/' + MARK, os.O_CREAT | os.O_RDWR), 0), lambda: os.umask(0o777),
):
    works(action)
`,
    ),
    spoiling(
      "changes seeds, limits, the locale and the clock",
      python`
import sys, random, locale, os, gc, time, decimal, warnings, copyreg, functools, math
sys.setrecursionlimit(120)
random.seed(5)
os.environ['HOME'] = '/x'; os.environ.clear(); os.putenv('TZ', 'Asia/Tokyo'); works(lambda: time.tzset())
gc.disable(); gc.set_threshold(1)
works(lambda: sys.set_int_max_str_digits(0))
decimal.getcontext().prec = 1
decimal.DefaultContext.prec = 1
warnings.simplefilter('error')
copyreg.dispatch_table[int] = lambda v: (int, (6,))
time.time = time.monotonic = time.perf_counter = lambda: 0
math.sqrt = lambda v: 6
sys.stdout = sys.stderr = sys.stdin = None
sys.setswitchinterval(10 ** 5)
works(lambda: locale.setlocale(locale.LC_ALL, ''))
`,
    ),
  ],
};
