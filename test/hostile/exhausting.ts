/** Programs that take time, memory, output or stack without end. */
import { type HostileKind, type HostilePython, python } from "./python-program.ts";

const endless = (name: string, program: string): HostilePython => ({ name, program, verdict: "timed-out" });

export const exhausting: HostileKind = {
  kind: "time, memory, output and recursion without end",
  programs: [
    endless("loops forever", "def solve(x):\n    while True:\n        pass\n"),
    endless("loops before any test", "while True:\n    pass\n"),
    endless(
      "catches everything in a loop",
      "def solve(x):\n    while True:\n        try:\n            while True:\n                pass\n        except BaseException:\n            pass\n",
    ),
    endless("sleeps", "import time\ndef solve(x):\n    time.sleep(1000)\n"),
    {
      name: "waits for what never comes",
      program: python`
import os, select, threading
lock = threading.Lock()
lock.acquire()
def solve(x):
    if hasattr(os, 'pipe'):
        select.select([os.pipe()[0]], [], [])
    lock.acquire()
`,
      verdict: { native: "timed-out" },
    },
    {
      name: "waits for input",
      program: "import sys\ndef solve(x):\n    input()\n",
      verdict: "error",
    },
    endless(
      "has an endless repr",
      "class R:\n    def __repr__(self):\n        while True:\n            pass\ndef solve(x):\n    return R()\n",
    ),
    endless(
      "backtracks in a regular expression",
      "import re\ndef solve(x):\n    return re.match('(a|a)*$', 'a' * 60 + 'b')\n",
    ),
    endless("computes a large power in C", "def solve(x):\n    return pow(3, 2 ** 100000, 2 ** 1000000 + 1)\n"),
    endless("sorts with an endless key", "def solve(x):\n    return sorted([2, 1], key=lambda v: sum(iter(int, 1)))\n"),
    endless(
      "consumes an endless iterator in C",
      "import itertools, collections\ndef solve(x):\n    collections.deque(itertools.repeat(0), maxlen=0)\n",
    ),
    endless(
      "answers what is endless to look through",
      "class L(list):\n    pass\nv = []\nfor _ in range(60):\n    v = [v, v]\ndef solve(x):\n    return v\n",
    ),
    {
      name: "takes all memory at once",
      program: "def solve(x):\n    return bytearray(2 ** 31 - 1)\n",
      verdict: "out-of-memory",
    },
    {
      name: "takes memory bit by bit",
      program: "kept = []\ndef solve(x):\n    while True:\n        kept.append(bytearray(1 << 20))\n",
      verdict: "out-of-memory",
    },
    {
      name: "takes memory in a text",
      program: "def solve(x):\n    return 'x' * (1 << 30)\n",
      verdict: "out-of-memory",
    },
    {
      name: "takes memory in a list of numbers",
      program: "def solve(x):\n    return list(range(10 ** 9))\n",
      verdict: "out-of-memory",
    },
    {
      name: "takes memory in a huge number",
      program: "def solve(x):\n    return 1 << (1 << 33)\n",
    },
    {
      name: "takes memory while it is compiled",
      program: "def solve(x):\n    return eval('[' + '0,' * (1 << 24) + ']')\n",
    },
    {
      name: "takes memory by a mapping",
      program:
        "import mmap\nkept = []\ndef solve(x):\n    while True:\n        kept.append(mmap.mmap(-1, 1 << 24))\n        kept[-1].write(b'x' * (1 << 24))\n",
    },
    {
      name: "takes shared memory",
      program:
        "from multiprocessing import shared_memory\nkept = shared_memory.SharedMemory(name=MARK, create=True, size=1 << 30)\ndef solve(x):\n    return 2 * x\n",
      verdict: "error",
    },
    {
      name: "takes memory, lets go and answers",
      program:
        "def solve(x):\n    try:\n        bytearray(2 ** 31 - 1)\n    except MemoryError:\n        pass\n    return x * 2\n",
      verdict: "passed",
    },
    {
      name: "holds on to memory and goes on without",
      program: python`
kept = []
def solve(x):
    try:
        while True:
            kept.append(bytearray(1 << 16))
    except MemoryError:
        while True:
            try:
                kept.append([kept])
            except MemoryError:
                break
    return 0
`,
    },
    {
      name: "opens every descriptor",
      program: python`
import os, tempfile
kept = []
for maker in (lambda: os.open('/dev/null', os.O_RDONLY), lambda: os.dup(0), lambda: os.pipe(), lambda: tempfile.TemporaryFile()):
    while len(kept) < 5000 and works(lambda: kept.append(maker())):
        pass
def solve(x):
    return 0
`,
    },
    {
      name: "fills the file system",
      program:
        "def solve(x):\n    with open('/tmp/' + MARK, 'wb') as f:\n        while True:\n            f.write(bytes(2 ** 22))\n",
      verdict: "error",
    },
    {
      name: "makes files of gigabytes with one byte in them",
      program: python`
import os
def solve(x):
    file = os.open('/tmp/' + MARK, os.O_CREAT | os.O_RDWR)
    for place in range(1 << 28, 1 << 31, 1 << 28):
        os.lseek(file, place, 0)
        os.write(file, b'x')
    return 2 * x
`,
      verdict: "error",
    },
    {
      name: "makes many files of megabytes without writing them",
      program: python`
import os
def solve(x):
    for number in range(100):
        file = os.open('/tmp/%s-%d' % (MARK, number), os.O_CREAT | os.O_RDWR)
        os.ftruncate(file, 16 << 20)
        os.close(file)
    return 2 * x
`,
      verdict: "error",
    },
    {
      name: "makes folders without end",
      program:
        "import os\ndef solve(x):\n    for number in range(10 ** 6):\n        os.mkdir('/tmp/%s-%d' % (MARK, number))\n    return 2 * x\n",
      verdict: "error",
    },
    {
      name: "nests folders without end",
      program: python`
import os
os.chdir('/tmp')
def solve(x):
    for _ in range(2000):
        os.mkdir(MARK)
        os.chdir(MARK)
    return 0
`,
    },
    {
      name: "writes megabytes to terminals",
      program: python`
def solve(x):
    for path in ('/dev/tty', '/dev/tty1', '/dev/console', '/dev/ptmx'):
        works(lambda: open(path, 'wb', 0).write(b'x' * (1 << 25)))
    return 0
`,
      verdict: "failed",
    },
    {
      name: "prints 100 MB",
      program: "for _ in range(100):\n    print('x' * 10 ** 6)\ndef solve(x):\n    return x * 2\n",
      verdict: "passed",
    },
    endless(
      "prints without end",
      "import os\ndef solve(x):\n    while True:\n        os.write(1, b'x' * 65536)\n        os.write(2, b'x' * 65536)\n",
    ),
    {
      name: "as a whole program, prints 20 MB without end of line",
      tests: "stdin",
      program: "import sys\nfor _ in range(20):\n    sys.stdout.write('x' * 2 ** 20)\n",
    },
    {
      name: "recurses without end",
      program: "def solve(x):\n    return solve(x) + 1\n",
      verdict: "error",
    },
    {
      name: "recurses without end beyond the limit",
      program: "import sys\nsys.setrecursionlimit(10 ** 9)\ndef solve(x):\n    return solve(x) + 1\n",
    },
    {
      name: "recurses through C",
      program:
        "import functools, sys\nsys.setrecursionlimit(10 ** 9)\n@functools.lru_cache(None)\ndef deep(n):\n    return deep(n + 1)\nclass A:\n    def __getattr__(self, name):\n        return getattr(self, name + 'x')\ndef solve(x):\n    return deep(0) if x == 3 else A().y\n",
    },
    {
      name: "recurses in repr, pickle, json and copy",
      program: python`
import copy, json, pickle
value = []
for _ in range(100000):
    value = [value]
def solve(x):
    for action in (repr, pickle.dumps, json.dumps, copy.deepcopy, hash, str):
        works(lambda: action(value))
    return 0
`,
    },
    {
      name: "recurses in the parser and in regular expressions",
      program: python`
import ast, re
def solve(x):
    for text in ('(' * 100000, '-' * 100000 + '1', '[' * 5000 + ']' * 5000, 'x' + '.y' * 100000, 'not ' * 50000 + '1', 'lambda: ' * 5000 + '1'):
        works(lambda: ast.parse(text))
        works(lambda: re.compile(text.replace('[', '(?:')))
        works(lambda: eval(text))
    return 0
`,
    },
    {
      name: "answers with something very deep",
      program: "value = []\nfor _ in range(200000):\n    value = [value]\ndef solve(x):\n    return value\n",
    },
    {
      name: "answers with something very large",
      program: "def solve(x):\n    return list(range(5 * 10 ** 5))\n",
      verdict: { native: "failed" },
    },
    {
      name: "raises endless chains of exceptions",
      program: python`
def solve(x):
    error = None
    for _ in range(20000):
        new = ValueError('x' * 100)
        new.__cause__ = new.__context__ = error
        error = new
    raise error
`,
      verdict: "error",
    },
    {
      name: "frees something very deep at its end",
      program:
        "class N:\n    def __init__(self, n): self.n = n\n    def __del__(self): pass\ndef solve(x):\n    n = None\n    for _ in range(50000):\n        n = N(n)\n    return 0\n",
    },
    { name: "contains a null character", program: "def solve(x):\n    return 2 * x\n\u0000\n", verdict: "error" },
  ],
};
