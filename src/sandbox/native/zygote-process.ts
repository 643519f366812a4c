/**
 * One zygote (`zygote-python.mjs`): starting it, sending it jobs, hearing how they ended, killing it.
 *
 * To it: once the source (32-bit length first), then messages with a head of 32 bytes: `J`, 3 zero bytes, size of the
 * body, CPU time limit, wall time limit (ms), memory limit (64 bits), number of steps, size of the standard input (-1:
 * none); the body is the standard input and the steps, each with its length. `K`, padded: stop the running job; between
 * jobs it means nothing.
 *
 * From it: kind and size (32 bits each), then the body. READY: JSON; FAILED: text; ENDED, once per job: reason, status,
 * CPU time (64-bit float, ms), size of the frames, size of the standard output, then these. The zygote itself is
 * trusted; the frames and the output are the program's and stay bytes here. All numbers are little-endian.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { SandboxError } from "../../errors.ts";
import type { Worker, WorkerOutcome } from "../worker-pool.ts";
import type { SystemPython } from "./find-python.ts";
import { OTHER_MODULES, USUAL_MODULES, ZYGOTE_PYTHON } from "./zygote-python.mjs";

/** What keeps files away from programs. `no-files`: the system call filter alone, for kernels without Landlock. */
export type Mechanism = "landlock" | "no-files";

export interface ZygoteJob {
  /** Texts for the runner's step function, at least one. */
  readonly steps: readonly string[];
  readonly stdin?: string;
  readonly cpuTimeMs: number;
  readonly memoryBytes: number;
}

export interface ZygoteOutcome {
  /** `malformed`: bytes came where none belonged, or too many. */
  readonly end: "by-itself" | "cpu-time" | "wall-time" | "malformed";
  /** Exit status, or the negative number of the signal that ended it. */
  readonly status: number;
  readonly cpuTimeMs: number;
  /** The complete frames, in order. */
  readonly frames: readonly string[];
  /** With `stdin` only. */
  readonly stdout: Buffer;
}

export interface Zygote extends Worker<ZygoteJob, ZygoteOutcome> {
  /** What the zygote found and took, e.g. `landlock-7`. */
  readonly mechanism: string;
}

export interface ZygoteOptions {
  readonly python: SystemPython;
  /** Default: Landlock where the kernel has it. */
  readonly mechanism?: Mechanism;
}

const READY = 0;
const ENDED = 1;
const ENDS = ["by-itself", "cpu-time", "wall-time", "aborted", "malformed", "not-sealed"] as const;
const HEAD_BYTES = 32;
const MAX_JOB_BYTES = 120 * 2 ** 20;
/** Longest message: the zygote's mapping for results. */
const MAX_MESSAGE_BYTES = 128 * 2 ** 20;
const MOST_MS = 2 ** 30;
const MOST_BYTES = 2 ** 46;
const START_TIMEOUT_MS = 300_000;
/** Wall time granted per CPU time: it is there for programs that wait, and must not stop one that is starved. */
const WALL_FACTOR = 5;
const WALL_EXTRA_MS = 1000;
/** The zygote's `PATIENCE`. */
const WALL_PATIENCE = 4;
/** Beyond the longest that the zygote waits for a program, when nothing is heard of it any more. */
const SILENCE_MS = 20_000;
/** Time to leave by itself, milliseconds. */
const PARTING_MS = 1000;
/** Node's timers take no longer time. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Starts over without random addresses where the system grants it (ADDR_NO_RANDOMIZE), because sets of objects are ordered
 * by address; nothing is lost, since a program may run machine code and knows its own addresses. Then reads the source from
 * the parent and runs it with a private copy of the builtins.
 */
const BOOT = `import sys
sys.path[:] = [folder for folder in sys.path if folder]
import builtins, ctypes, json, os
persona = ctypes.CDLL(None).personality
if not persona(0xffffffff) & 0x40000:
    persona(persona(0xffffffff) | 0x40000)
    if persona(0xffffffff) & 0x40000:
        os.execv(sys.executable, sys.orig_argv)
def read(size):
    data = b""
    while len(data) < size:
        part = os.read(0, size - len(data))
        if not part:
            os._exit(0)
        data += part
    return data
space = {"__builtins__": dict(builtins.__dict__), "__name__": "runner", "config": json.loads(sys.argv[1])}
exec(compile(read(int.from_bytes(read(4), "little")), "<runner>", "exec"), space)
`;

/** Starts a zygote and waits until it takes jobs. @throws SandboxError when it does not get ready. */
export async function startZygote({ python, mechanism }: ZygoteOptions): Promise<Zygote> {
  const config = { mechanism: mechanism ?? "auto", usualModules: USUAL_MODULES, otherModules: OTHER_MODULES };
  const libraries = process.env["LD_LIBRARY_PATH"];
  const child = spawn(python.executable, ["-s", "-S", "-B", "-X", "utf8", "-c", BOOT, JSON.stringify(config)], {
    // Sets in the same order and the same time zone every time; one heap for all
    // threads, whose reserves would count as memory; symbols resolved before the first fork.
    env: {
      PYTHONHASHSEED: "0",
      TZ: "UTC",
      MALLOC_ARENA_MAX: "1",
      LD_BIND_NOW: "1",
      ...(libraries === undefined ? {} : { LD_LIBRARY_PATH: libraries }),
    },
    cwd: "/",
    stdio: ["pipe", "pipe", "ignore"],
    // A session of its own: an interrupt from the terminal is for the parent to interpret.
    detached: true,
  });
  const gone = new Promise<string>((resolve) => {
    child.once("close", (code, signal) => resolve(signal ?? `status ${code}`));
    child.once("error", (error) => resolve(error.message));
  });
  child.stdin.on("error", () => {});
  child.stdout.on("error", () => {});
  const source = Buffer.from(ZYGOTE_PYTHON);
  child.stdin.write(Buffer.concat([uint32(source.length), source]));
  let hear: (message: Message) => void = () => {};
  const answer = new Promise<Message>((resolve) => {
    hear = resolve;
  });
  onMessages(child.stdout, (message) => hear(message));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, START_TIMEOUT_MS, "no answer in time");
  });
  const first = await Promise.race([answer, gone.then((how) => `the process ended (${how})`), late]);
  clearTimeout(timer);
  if (typeof first === "string" || first.kind !== READY) {
    child.kill("SIGKILL");
    const reason = typeof first === "string" ? first : first.body.toString("utf8").slice(0, 500);
    throw new SandboxError(`The native sandbox could not be started: ${reason}`, {
      python: python.executable,
      reason,
    });
  }
  const found = JSON.parse(first.body.toString("utf8")) as { mechanism: string };
  return wrapZygote(child, gone, found.mechanism, (listener) => {
    hear = listener;
  });
}

interface Message {
  readonly kind: number;
  readonly body: Buffer;
}

/** Cuts what arrives into messages. One of an impossible size makes the stream end. */
function onMessages(stream: Readable, listener: (message: Message) => void): void {
  let parts: Buffer[] = [];
  let length = 0;
  let needed = 8;
  stream.on("data", (part: Buffer) => {
    parts.push(part);
    length += part.length;
    while (length >= needed) {
      const bytes = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
      const end = 8 + bytes.readUInt32LE(4);
      if (end > MAX_MESSAGE_BYTES) return void stream.destroy();
      parts = [bytes];
      needed = end;
      if (length < end) return;
      listener({ kind: bytes.readUInt32LE(0), body: bytes.subarray(8, end) });
      parts = length > end ? [bytes.subarray(end)] : [];
      length -= end;
      needed = 8;
    }
  });
}

function wrapZygote(
  child: ChildProcessByStdio<Writable, Readable, null>,
  gone: Promise<string>,
  mechanism: string,
  setListener: (listener: (message: Message) => void) => void,
): Zygote {
  let usable = true;
  let settle: ((outcome: WorkerOutcome<ZygoteOutcome>) => void) | null = null;

  async function kill(): Promise<void> {
    usable = false;
    // At the end of its input it ends and reaps the running program before it leaves.
    child.stdin.end();
    const timer = setTimeout(() => child.kill("SIGKILL"), PARTING_MS);
    await gone;
    clearTimeout(timer);
  }
  void gone.then((how) => {
    usable = false;
    settle?.({ kind: "died", reason: `the process ended (${how})` });
  });
  // Whatever makes the channel useless makes the zygote useless.
  child.stdout.on("close", () => void kill());
  setListener(({ kind, body }) => {
    if (kind === ENDED && settle) settle(readEnd(body));
    else void kill();
  });

  function run(job: ZygoteJob, signal?: AbortSignal): Promise<WorkerOutcome<ZygoteOutcome>> {
    if (!usable || settle) return Promise.resolve({ kind: "died", reason: "the process is not ready" });
    const wallTimeMs = job.cpuTimeMs * WALL_FACTOR + WALL_EXTRA_MS;
    const bytes = writeJob(job, wallTimeMs);
    return new Promise((resolve) => {
      const abort = (): void => void child.stdin.write(Buffer.from("K".padEnd(HEAD_BYTES, "\0")));
      const silence = setTimeout(
        () => {
          void kill();
        },
        Math.min(wallTimeMs * WALL_PATIENCE + SILENCE_MS, LONGEST_TIMER_MS),
      );
      settle = (outcome) => {
        settle = null;
        clearTimeout(silence);
        signal?.removeEventListener("abort", abort);
        resolve(signal?.aborted ? { kind: "aborted" } : outcome);
      };
      signal?.addEventListener("abort", abort, { once: true });
      child.stdin.write(bytes);
    });
  }

  return {
    pid: child.pid as number,
    mechanism,
    get usable() {
      return usable;
    },
    run,
    kill,
  };
}

/** @throws SandboxError when the job is larger than what a zygote takes. */
export function checkSize({ steps, stdin }: ZygoteJob): void {
  const characters = steps.reduce((sum, text) => sum + text.length + 4, stdin?.length ?? 0);
  // A UTF-16 unit takes at most three bytes in UTF-8.
  if (characters * 3 > MAX_JOB_BYTES) {
    throw new SandboxError(`A job of ${characters} characters is too large for the native sandbox`, { characters });
  }
}

function writeJob({ steps, stdin, cpuTimeMs, memoryBytes }: ZygoteJob, wallTimeMs: number): Buffer {
  const texts = steps.map((text) => Buffer.from(text));
  const input = stdin === undefined ? null : Buffer.from(stdin);
  const size = texts.reduce((sum, text) => sum + 4 + text.length, input?.length ?? 0);
  const head = Buffer.alloc(HEAD_BYTES);
  head.write("J");
  head.writeUInt32LE(size, 4);
  // Limits beyond what the fields hold are none.
  head.writeUInt32LE(Math.min(Math.ceil(cpuTimeMs), MOST_MS), 8);
  head.writeUInt32LE(Math.min(Math.ceil(wallTimeMs), MOST_MS), 12);
  head.writeBigUInt64LE(BigInt(Math.min(Math.ceil(memoryBytes), MOST_BYTES)), 16);
  head.writeUInt32LE(texts.length, 24);
  head.writeInt32LE(input === null ? -1 : input.length, 28);
  return Buffer.concat([head, ...(input ? [input] : []), ...texts.flatMap((text) => [uint32(text.length), text])]);
}

function readEnd(body: Buffer): WorkerOutcome<ZygoteOutcome> {
  const end = ENDS[body.readUInt32LE(0)];
  if (end === "not-sealed" || end === undefined) {
    return { kind: "died", reason: "the program's process could not confine itself" };
  }
  if (end === "aborted") return { kind: "aborted" };
  const framesEnd = 24 + body.readUInt32LE(16);
  const frames: string[] = [];
  for (let position = 24; position < framesEnd;) {
    const next = position + 4 + body.readUInt32LE(position);
    frames.push(body.toString("latin1", position + 4, next));
    position = next;
  }
  const outcome = {
    end,
    status: body.readInt32LE(4),
    cpuTimeMs: body.readDoubleLE(8),
    frames,
    stdout: body.subarray(framesEnd, framesEnd + body.readUInt32LE(20)),
  };
  return { kind: end === "wall-time" ? "slow" : "done", outcome };
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
