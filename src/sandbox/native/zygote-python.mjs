/**
 * Python source of the process that is started once per worker, imports what programs usually import, confines itself and
 * then forks once per program. `zygote-process.ts` is the other end; messages in both directions are described there.
 *
 * A fork inherits all memory of its parent, so no text of a job may ever be there: jobs and results pass through two
 * mappings that forks do not get (MADV_DONTFORK). The program, the setup code and the calls go to the fork through a pipe
 * of its own, one at a time, the next only when the frame of the one before has been taken out of its reach. So an
 * answer to an early call cannot depend on the text of a later one, and a forged frame can only say what a returned
 * value could have said. Bytes beyond the expected frames spoil the whole job.
 *
 * A fork closes every descriptor but its own, takes its limits and the system call filter, and says that it did (an
 * empty frame) before it reads the program.
 */
import { STEP_PYTHON } from "../pyodide/runner-python.mjs";
import { LANDLOCK_PYTHON } from "./landlock-python.mjs";
import { SECCOMP_PYTHON } from "./seccomp-python.mjs";

/** Loaded before the first fork; with Landlock the rest of the standard library is found when a program imports it. */
export const USUAL_MODULES = `array bisect cmath collections copy datetime decimal fractions functools heapq itertools json math
  operator random re statistics string time typing`;
/** Loaded as well where forks cannot open files at all. Each makes every fork slower, these by a third. */
export const OTHER_MODULES = `_strptime abc ast asyncio base64 binascii bz2 calendar concurrent.futures concurrent.futures.thread contextlib
  csv dataclasses difflib encodings.ascii encodings.cp1252 encodings.idna encodings.latin_1 encodings.utf_16
  encodings.utf_32 enum hashlib hmac inspect io keyword locale lzma numbers os pathlib pprint queue secrets select
  shutil signal socket struct sys tempfile textwrap threading traceback types unicodedata unittest urllib.parse
  uuid warnings weakref zlib`;

const IMPORTS = String.raw`
import os
# Modules ask to be told of forks: threading to forget other threads (there are none), random for a new seed (a verdict must
# not depend on chance). Telling them costs as much as the bare fork.
register_at_fork = os.register_at_fork
os.register_at_fork = lambda **hooks: None
import atexit, ctypes, fcntl, gc, json, mmap, platform, random, resource, select, signal, struct, sys, threading, time
import _sitebuiltins
`;

const SERVER_PYTHON = String.raw`
READY, ENDED, FAILED = 0, 1, 2
BY_ITSELF, CPU_TIME, WALL_TIME, REQUEST, MALFORMED, NOT_SEALED = 0, 1, 2, 3, 4, 5
JOB = struct.Struct('<cxxxIIIQIi')
END = struct.Struct('<IIIidII')
U32 = struct.Struct('<I')
REGION = 128 << 20
MAX_FRAME_BYTES = 96 << 20
MAX_STDOUT = 16 << 20
# What a fork has: 0 to 2, its steps, its frames.
STEPS, FRAMES, FIRST_CLOSED, MOST_OPEN = 3, 4, 5, 64
CONTROL_IN, CONTROL_OUT = 62, 63
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
SECCOMP_MODE_FILTER = 2
CLOSE_RANGE = 436
# Wall time for a program that does compute, in wall time limits.
PATIENCE = 4
MEMORY_SLACK = 8 << 20
MOST_STACK = 128 << 20
prctl = libc.prctl
prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
read_, write_, pack_size, unpack_size = os.read, os.write, U32.pack, U32.unpack
leave, shut_threads_down, run_registered = os._exit, threading._shutdown, atexit._run_exitfuncs
machine = platform.machine()
zygote = os.getpid()


def unforked(size):
    region = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    region.madvise(mmap.MADV_DONTFORK)
    return region


def give_back(region, used):
    # Large jobs do not stay in memory.
    if used > 1 << 20:
        region.madvise(mmap.MADV_DONTNEED)


def read_fully(descriptor, view):
    done = 0
    while done < len(view):
        n = os.readv(descriptor, [view[done:]])
        if n == 0:
            os._exit(0)
        done += n


def write_fully(descriptor, view):
    done = 0
    while done < len(view):
        done += os.write(descriptor, view[done:])


def say(kind, body):
    write_fully(CONTROL_OUT, memoryview(struct.pack('<II', kind, len(body)) + body))


# ---- in the fork

def read_exactly(size):
    parts = []
    while size:
        part = read_(STEPS, min(size, 1 << 20))
        if not part:
            leave(0)
        parts.append(part)
        size -= len(part)
    return b''.join(parts)


def run_exit_functions():
    # The end of a whole program; the step function calls this. Threads that are no daemons finish first.
    shut_threads_down()
    run_registered()


def run_steps(count):
    for _ in range(count):
        frame = step(read_exactly(unpack_size(read_exactly(4))[0]).decode('utf-8', 'replace'))
        data = frame.encode('ascii', 'backslashreplace')
        data = pack_size(len(data)) + data
        while data:
            data = data[write_(FRAMES, data):]
        if frame.startswith('!'):
            break
    leave(0)


def become_program(steps, frames, standard_input, standard_output, cpu_ms, memory, count):
    try:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != zygote:
            os._exit(1)
        os.setsid()
        script = standard_input is not None
        if script:
            os.dup2(standard_input, 0)
            os.dup2(standard_output, 1)
        os.dup2(steps, STEPS)
        os.dup2(frames, FRAMES)
        os.closerange(FIRST_CLOSED, MOST_OPEN)
        seconds = cpu_ms // 1000 + 2
        limit = resource.setrlimit
        limit(resource.RLIMIT_AS, (base_memory + memory,) * 2)
        limit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        limit(resource.RLIMIT_FSIZE, (MAX_STDOUT,) * 2)
        limit(resource.RLIMIT_NOFILE, (MOST_OPEN,) * 2)
        gc.enable()
        if prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter_address, 0, 0) != 0:
            os._exit(1)
        os.write(FRAMES, b'\0\0\0\0')
        run_steps(count)
    finally:
        os._exit(1)


# ---- in the zygote

def cpu_ms_of(pid):
    # The kernel's clock of another process: all its threads, in nanoseconds.
    try:
        return time.clock_gettime((~pid << 3) | 2) * 1000
    except OSError:
        return 0.0


def parse_steps(view, position, count):
    places = []
    for _ in range(count):
        size = 4 + U32.unpack_from(view, position)[0]
        places.append((position, position + size))
        position += size
    return places


def file_with(view):
    descriptor = os.memfd_create('stdin', os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    write_fully(descriptor, view)
    os.lseek(descriptor, 0, os.SEEK_SET)
    # F_ADD_SEALS: no shrinking, growing, writing, or further seals.
    fcntl.fcntl(descriptor, 1033, 15)
    return descriptor


def run_job(cpu_ms, wall_ms, memory, count, stdin_size):
    script = stdin_size >= 0
    inputs = parse_steps(job_view, max(stdin_size, 0), count)
    standard_input = file_with(job_view[:stdin_size]) if script else None
    standard_output = os.memfd_create('stdout', os.MFD_CLOEXEC) if script else None
    steps_in, steps_out = os.pipe()
    frames_in, frames_out = os.pipe()
    os.set_blocking(steps_out, False)
    pid = os.fork()
    if pid == 0:
        become_program(steps_in, frames_out, standard_input, standard_output, cpu_ms, memory, count)
    os.close(steps_in)
    os.close(frames_out)
    reason, start, end = watch(pid, inputs, steps_out, frames_in, cpu_ms, wall_ms)
    # The channel is closed or the job is over: whatever still lives in the fork ends here. Threads die with it, and it can
    # make no processes; one that is leaving by itself keeps its own status.
    os.kill(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    os.close(steps_out)
    os.close(frames_in)
    size = 0
    if script:
        size = min(os.fstat(standard_output).st_size, MAX_STDOUT)
        done = 0
        while done < size:
            n = os.preadv(standard_output, [result_view[end + done:end + size]], done)
            if n == 0:
                break
            done += n
        size = done
        os.close(standard_input)
        os.close(standard_output)
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
    used = (usage.ru_utime + usage.ru_stime) * 1000
    frames = end - start
    head = start - END.size
    END.pack_into(result_view, head, ENDED, END.size - 8 + frames + size, reason, code, used, frames, size)
    write_fully(CONTROL_OUT, result_view[head:end + size])
    give_back(job_region, inputs[-1][1])
    give_back(result_region, end + size)


def watch(pid, inputs, steps_out, frames_in, cpu_ms, wall_ms):
    # Gives the reason for the end, and where in the results the frames lie (after room for the head, and the sign that
    # the fork is sealed).
    started = time.monotonic()
    first = END.size
    filled = frame_start = first
    next_input = 0
    sending = None
    sealed = False
    poll = select.poll()
    poll.register(frames_in, select.POLLIN)
    poll.register(CONTROL_IN, select.POLLIN)
    check_at = started + min(cpu_ms, wall_ms) / 1000
    while True:
        now = time.monotonic()
        if now >= check_at:
            used, passed = cpu_ms_of(pid), (now - started) * 1000
            cpu_left = cpu_ms - used
            # One that has computed for a twentieth of the time is not asleep but starved: others keep the cores busy.
            wall_left = wall_ms * (PATIENCE if used * 20 > passed else 1) - passed
            if cpu_left <= 0 or wall_left <= 0:
                return CPU_TIME if cpu_left <= 0 else WALL_TIME, first + 4, max(frame_start, first + 4)
            check_at = now + max(min(cpu_left, wall_left), 2) / 1000
        for descriptor, event in poll.poll(max((check_at - now) * 1000, 1)):
            if descriptor == CONTROL_IN:
                # A request to stop, or the end of the channel, which the next reading finds again.
                if event & select.POLLIN and os.readv(CONTROL_IN, [header_view]) not in (0, JOB.size):
                    os._exit(1)
                return REQUEST, first + 4, max(frame_start, first + 4)
            if descriptor == steps_out:
                try:
                    sending = send_some(steps_out, sending)
                except BrokenPipeError:
                    sending = None
                if sending is None:
                    poll.unregister(steps_out)
                continue
            room = min(filled + (1 << 20), first + MAX_FRAME_BYTES) - filled
            n = os.readv(frames_in, [result_view[filled:filled + room]]) if room else 0
            if n == 0:
                if not sealed:
                    return NOT_SEALED, first + 4, first + 4
                if room == 0 or filled > frame_start:
                    return MALFORMED, first + 4, frame_start
                return BY_ITSELF, first + 4, frame_start
            filled += n
            while filled - frame_start >= 4:
                size = 4 + U32.unpack_from(result_view, frame_start)[0]
                if size > MAX_FRAME_BYTES:
                    return MALFORMED, first + 4, max(frame_start, first + 4)
                if filled - frame_start < size:
                    break
                frame_start += size
                if not sealed:
                    sealed = True
                    if size != 4 or filled > frame_start:
                        return NOT_SEALED, first + 4, first + 4
                elif filled > frame_start or sending is not None:
                    # An honest fork says nothing before it has been asked.
                    return MALFORMED, first + 4, frame_start
                if next_input < len(inputs):
                    a, b = inputs[next_input]
                    next_input += 1
                    try:
                        sending = send_some(steps_out, job_view[a:b])
                    except BrokenPipeError:
                        sending = None
                    if sending is not None:
                        poll.register(steps_out, select.POLLOUT)


def send_some(descriptor, view):
    try:
        n = os.write(descriptor, view)
    except BlockingIOError:
        return view
    return view[n:] if n < len(view) else None


def drop_capabilities():
    # Root keeps its name and loses its powers. Version 3 of the interface has two words per set.
    header = struct.pack('<II', 0x20080522, 0)
    if libc.syscall(ctypes.c_long({'x86_64': 126, 'aarch64': 91}[machine]), header, bytes(24)) != 0:
        raise RuntimeError('capabilities cannot be dropped')


def numbered_ids():
    # Where an object lies depends on the programs before; a number that does would make two runs differ.
    numbers, place_of = {}, id

    def id_(obj, /):
        place = place_of(obj)
        return numbers.get(place) or numbers.setdefault(place, 0x7F0000000000 + 16 * len(numbers))

    id_.__name__ = id_.__qualname__ = 'id'
    return id_


def bounded_stacks(stack_size):
    # Programs ask for more stack than their memory limit has room for, as judges grant it; they seldom use it.
    def stack_size_(size=0, /):
        return stack_size(min(size, MOST_STACK) if type(size) is int else size)

    stack_size_.__name__ = stack_size_.__qualname__ = 'stack_size'
    return stack_size_


def load(modules):
    sys.argv[:] = ['program.py']
    # What '-S' leaves out and programs take for granted.
    for word in ('exit', 'quit'):
        setattr(builtins, word, _sitebuiltins.Quitter(word, 'Ctrl-D (i.e. EOF)'))
    for name in modules.split():
        try:
            __import__(name)
        except ImportError:
            pass
    random.seed(20)
    os.register_at_fork = register_at_fork
    __import__('builtins').id = numbered_ids()
    threading.stack_size = bounded_stacks(threading.stack_size)


def arrange_descriptors():
    # Nothing but the channel is inherited. It moves out of the way of what forks use; those numbers are kept occupied.
    if libc.syscall(ctypes.c_long(CLOSE_RANGE), ctypes.c_uint(3), ctypes.c_uint(0xFFFFFFFF), ctypes.c_uint(0)) != 0:
        os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    null = os.open('/dev/null', os.O_RDWR)
    os.dup2(0, CONTROL_IN)
    os.dup2(1, CONTROL_OUT)
    for descriptor in (0, 1, 2, STEPS, FRAMES):
        if descriptor != null:
            os.dup2(null, descriptor)
    if null > FRAMES:
        os.close(null)


def confine_for_good():
    # Gives the mechanism that keeps files away. Nothing is opened after this.
    if prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, 0, 0, 0) == 0 or ctypes.get_errno() != errno.EFAULT:
        raise RuntimeError('this kernel has no seccomp filters')
    version = landlock_version() if config['mechanism'] != 'no-files' else 0
    if config['mechanism'] == 'landlock' and version == 0:
        raise RuntimeError('this kernel has no Landlock (it needs Linux 5.13 with Landlock switched on)')
    load(config['usualModules'] if version else config['usualModules'] + ' ' + config['otherModules'])
    with open('/proc/self/oom_score_adj', 'w') as file:
        file.write('1000')
    with open('/proc/self/statm') as file:
        memory = int(file.read().split()[0]) * mmap.PAGESIZE + MEMORY_SLACK
    os.environ.clear()
    drop_capabilities()
    if prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise RuntimeError('the kernel refuses PR_SET_NO_NEW_PRIVS')
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    if version:
        confine(version, [path for path in sys.path if path] + ['/usr/share/zoneinfo'])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Deep recursion goes through the C stack in some versions.
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    deep = 64 << 20
    resource.setrlimit(resource.RLIMIT_STACK, (deep if hard == resource.RLIM_INFINITY else min(deep, hard), hard))
    return ('landlock-%d' % version if version else 'no-files'), memory


def warm_up():
    # First runs fill caches that every fork would otherwise fill for itself.
    for text in ('Pf\ndef f(x):\n    return [x, {1: (2.5, "a")}, {3}]\n', 'Cf(1)', 'Tf(1)', 'Cf()'):
        step(text)
    state.clear()
    state.update(globals=None, lines=[])
    line_cache.clear()


def serve():
    while True:
        read_fully(CONTROL_IN, header_view)
        what, size, cpu_ms, wall_ms, memory, count, stdin_size = JOB.unpack(header_view)
        if what == b'J':
            read_fully(CONTROL_IN, job_view[:size])
            run_job(cpu_ms, wall_ms, memory, count, stdin_size)


arrange_descriptors()
try:
    if machine not in MACHINES:
        raise RuntimeError('there is no table of system calls for ' + machine)
    original_main = modules['__main__']
    mechanism, base_memory = confine_for_good()
    filter_bytes = build_filter(machine, mechanism != 'no-files')
    filter_buffer = ctypes.create_string_buffer(filter_bytes, len(filter_bytes))
    filter_program = ctypes.create_string_buffer(struct.pack('@HP', len(filter_bytes) // 8, ctypes.addressof(filter_buffer)))
    filter_address = ctypes.addressof(filter_program)
    warm_up()
    modules['__main__'] = original_main
    del modules['program']
    job_region, result_region = unforked(REGION), unforked(REGION)
    job_view, result_view = memoryview(job_region), memoryview(result_region)
    header_view = memoryview(bytearray(JOB.size))
    gc.collect()
    gc.freeze()
    gc.disable()
    say(READY, json.dumps({'mechanism': mechanism, 'machine': machine}).encode())
except BaseException as e:
    say(FAILED, (type(e).__name__ + ': ' + str(e)).encode())
    os._exit(1)
try:
    serve()
finally:
    os._exit(1)
`;

/** The whole source. The variable `config` is set before it runs. */
export const ZYGOTE_PYTHON = [LANDLOCK_PYTHON, SECCOMP_PYTHON, IMPORTS, STEP_PYTHON, SERVER_PYTHON].join("\n");
