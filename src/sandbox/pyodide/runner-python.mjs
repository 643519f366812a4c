/**
 * Python source of the program runner, shared by the backends that run Python: `step(text)` is called once per step of a
 * job and answers with one frame, ASCII JSON. The first character of a step says what to do: `P` run the program of a
 * function (the rest of the first line is its entry point, see `definition-python.mjs`), `I` run a whole program, from
 * standard input to its end, `B` or `A` run a preamble in its namespace before `P` or `I`, `S` run setup code in it, `C`
 * evaluate a call and encode its value canonically, `T` the same with types kept, `K` the same where the text begins with a
 * name and a blank: a value that crosses as less than itself stays under that name.
 *
 * Frames: `["ok"]` after A, B, P, I and S; `["value", encoded, shown]`; `["raised", exception, traceback]` for a call. A
 * frame that starts with `!` ends the job: `!["raised", …]` from a step before the calls, `!["exited"]` (after I only with
 * another status than 0), `!["out-of-memory"]`.
 *
 * A program shares the interpreter with this code and could replace it. That gains nothing: no expected value is ever in
 * this process, so a forged frame says no more than a returned value could, and the host has handed earlier frames to
 * the parent process, out of reach, before a later call's text arrives here. Code and builtins used here are private
 * copies, so that programs that patch builtins by accident still get honest frames.
 */
import { DEFINITION_PYTHON } from "./definition-python.mjs";
import { ENCODING_PYTHON } from "./encoding-python.mjs";

export const STEP_PYTHON = String.raw`
${ENCODING_PYTHON}
import atexit, builtins, gc, linecache, sys, types

FILE = '<program>'
SOURCES = {'A': '<preamble>', 'B': '<preamble>', 'S': '<setup>'}
MAX_TRACEBACK = 500
MAX_FRAMES = 4
ModuleType, modules, line_cache = types.ModuleType, sys.modules, linecache.cache
get_traceback = BaseException.__dict__['__traceback__'].__get__
exec_, eval_, compile_, open_ = exec, eval, compile, open
run_exit_functions, collect_garbage = atexit._run_exitfuncs, gc.collect
state = {'globals': None, 'lines': []}
${DEFINITION_PYTHON}

def clean(text, room):
    text = ''.join([c if c == '\n' or (c >= ' ' and c != '\x7f') else ' ' for c in ''.join(str.__iter__(text[:2 * room]))])
    return text if len(text) <= room else text[:room - 3] + '...'


def source_line(number):
    lines = state['lines']
    return lines[number - 1].strip()[:120] if 0 < number <= len(lines) else ''


def last_line(e, t):
    name = type_name(t)
    if issubclass(t, SyntaxError):
        try:
            line = e.lineno if e.filename == FILE else None
            return name + ': ' + str(e.msg) + (' (line %d)' % line if type(line) is int else '')
        except BaseException:
            return name
    try:
        text = str(e)
    except BaseException:
        return name
    return name + ': ' + text if text else name


def describe(e):
    t = type(e)
    exception = clean(last_line(e, t), 300).replace('\n', ' ')
    lines = []
    try:
        if issubclass(t, SyntaxError) and e.filename == FILE and type(e.lineno) is int:
            lines.append('line %d\n    %s' % (e.lineno, source_line(e.lineno)))
        tb = get_traceback(e)
        steps = 0
        while tb is not None and steps < 20000:
            code = tb.tb_frame.f_code
            if code.co_filename == FILE:
                lines.append('line %d, in %s\n    %s' % (tb.tb_lineno, code.co_name, source_line(tb.tb_lineno)))
                if len(lines) > 200:
                    del lines[MAX_FRAMES // 2:-MAX_FRAMES]
            tb = tb.tb_next
            steps += 1
    except BaseException:
        pass
    if len(lines) > MAX_FRAMES:
        lines[MAX_FRAMES // 2:-(MAX_FRAMES // 2)] = ['...']
    own = clean('\n'.join(lines), MAX_TRACEBACK - min(len(exception), 200) - 1)
    traceback_text = (own + '\n' if own else '') + exception
    return '["raised",' + quote(exception) + ',' + quote(clean(traceback_text, MAX_TRACEBACK)) + ']'


def failed(e, final):
    t = type(e)
    if issubclass(t, SystemExit):
        return '!["exited"]'
    if issubclass(t, MemoryError):
        return '!["out-of-memory"]'
    return ('!' if final else '') + describe(e)


def prepare_standard_streams():
    # Made when there was a terminal in the place of the file.
    sys.stdin = sys.__stdin__ = open_(0, encoding='utf-8', errors='surrogateescape', closefd=False)
    sys.stdout.reconfigure(encoding='utf-8', errors='surrogateescape', line_buffering=False)


def exit_status(e):
    code = e.code
    return 0 if code is None else code if isinstance(code, int) else 1


def end_program():
    """What the interpreter does when a program has ended, so that everything printed is out."""
    run_exit_functions()
    for stream in (sys.stdout, sys.__stdout__):
        try:
            stream.flush()
        except BaseException:
            pass
    # Files of the program's own that were left open are flushed when they are freed. They are freed with the module they
    # are in, as the interpreter does it: their finalizers still find its names.
    modules.pop('__main__', None)
    state['globals'] = state['module'] = None
    collect_garbage()


def run_whole(text):
    status = 0
    try:
        exec_(compile_(text, FILE, 'exec', 0, True), state['globals'])
    except SystemExit as e:
        status = exit_status(e)
    end_program()
    return '["ok"]' if status == 0 else '!["exited"]'


def begin_module(name):
    module = ModuleType(name)
    state['globals'] = module.__dict__
    state['module'] = module
    module.__dict__['__builtins__'] = builtins
    modules['__main__'] = modules[name] = module


def begin_program(text):
    state['lines'] = text.split('\n')
    line_cache[FILE] = (len(text), None, [line + '\n' for line in state['lines']], FILE)


def step(text):
    what, text = text[0], text[1:]
    try:
        if what in 'ABPI' and state['globals'] is None:
            # A function's module is not '__main__': what stands under that guard is no part of it.
            begin_module('__main__' if what in 'AI' else 'program')
            if what in 'AI':
                prepare_standard_streams()
        if what == 'P':
            entry, _, text = text.partition('\n')
        if what in 'PI':
            begin_program(text)
        if what == 'I':
            return run_whole(text)
        if what == 'P':
            define(entry, text, state['globals'])
            return '["ok"]'
        if what in SOURCES:
            exec_(compile_(text, SOURCES[what], 'exec', 0, True), state['globals'])
            return '["ok"]'
        if what == 'K':
            name, _, text = text.partition(' ')
        value = eval_(compile_(text, '<call>', 'eval', 0, True), state['globals'])
        encoded = canonical(value) if what == 'C' else typed(value)
        if what == 'K' and ('["?"' in encoded or encoded.startswith('["#"')):
            state['globals'][name] = value
        return '["value",' + quote(encoded) + ',' + quote(shown(value)) + ']'
    except BaseException as e:
        return failed(e, what not in 'CTK')
`;

/** What this backend adds: modules loaded ahead, an event loop without sockets, and a first run of every path. */
export const RUNNER_PYTHON = String.raw`
${STEP_PYTHON}
import abc, array, ast, asyncio, base64, bisect, calendar, cmath, contextlib, copy, dataclasses, datetime, difflib, enum
import functools, hashlib, heapq, inspect, io, itertools, json, numbers, operator, os, pprint, queue, random, re
import secrets, statistics, string, struct, tempfile, textwrap, threading, time, traceback, typing, unicodedata, uuid, warnings

original_main = modules['__main__']


class Selector:
    def select(self, timeout):
        if timeout is None:
            raise RuntimeError('nothing left to wait for')
        time.sleep(max(timeout, 0))
        return ()


class Loop(asyncio.base_events.BaseEventLoop):
    # Timers and callbacks only: there are no sockets to wait for. Pyodide's own loop belongs to JavaScript.
    def __init__(self):
        super().__init__()
        self._selector = Selector()

    def _process_events(self, events):
        pass

    def _write_to_self(self):
        pass


class Policy(asyncio.events._BaseDefaultEventLoopPolicy):
    _loop_factory = Loop


def start_thread(self):
    # WebAssembly has one thread here: a program's thread runs when it is started, to its end. That is what programs do
    # that start one for the sake of its larger stack.
    if self._started.is_set():
        raise RuntimeError('threads can only be started once')
    self._started.set()
    try:
        self.run()
    except SystemExit:
        pass
    except MemoryError:
        raise
    except BaseException:
        threading.excepthook(threading.ExceptHookArgs([*sys.exc_info(), self]))


def join_thread(self, timeout=None):
    if not self._started.is_set():
        raise RuntimeError('cannot join thread before it is started')


threading.Thread.start, threading.Thread.join = start_thread, join_thread
threading.Thread.is_alive = lambda self: False
threading.stack_size = lambda size=0: 0
asyncio.events._set_event_loop_policy(Policy())
asyncio.events._set_running_loop(None)
asyncio.run = asyncio.runners.run
sys.stdout.reconfigure(line_buffering=False)
sys.stderr.reconfigure(line_buffering=False)
for warm in ('Pf\ndef f(x):\n    return [x, {1: (2.5, "a")}, {3}]\n', 'Cf(1)', 'Tf(1)', 'Cf()'):
    step(warm)
state.clear()
state.update(globals=None, lines=[])
line_cache.clear()
modules['__main__'] = original_main
del modules['program']
`;
