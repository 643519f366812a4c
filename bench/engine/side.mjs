// One side of a comparison: a process that does one workload of one model, turn by turn. It is asked, and answers, in
// lines of JSON; between its turns it waits, so that sides can take turns on the same cores.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** @typedef {"training" | "scoring" | "sampling" | "products"} Workload */
/** @typedef {"embedded" | typeof OTHER_OWN_WAYS[number] | "eager" | "compiled" | "transformers"} Way */
/** @typedef {{ workload: Workload, threads: number } & Record<string, unknown>} Task */
/** @typedef {Task & { way: Way }} Spec */

/** The embedded engine, computing with what `MUCODE_KERNELS` names so. */
export const OTHER_OWN_WAYS = /** @type {const} */ (["onnxruntime", "amx", "avx512", "avx2"]);
/** @param {string} way */
const isOtherOwn = (way) => OTHER_OWN_WAYS.some((own) => own === way);
/** Whether it is a way of the embedded engine. @param {string} way */
export const isOwn = (way) => way === "embedded" || isOtherOwn(way);

const ownSide = fileURLToPath(new URL("own-side.mjs", import.meta.url));
const torchSide = fileURLToPath(new URL("../peers/torch_engine.py", import.meta.url));

/** A side that could not go on, with what it said. */
export class SideError extends Error {}

export class Side {
  /** @type {Way} */
  way;
  #child;
  /** @type {AsyncIterator<string>} */
  #lines;
  /** Last lines of its standard error. @type {string[]} */
  #messages = [];

  /** @param {Spec} spec @param {string} python */
  constructor(spec, python) {
    this.way = spec.way;
    const [command, script] = isOwn(spec.way) ? [process.execPath, ownSide] : [python, torchSide];
    const kernels = isOtherOwn(spec.way) ? { MUCODE_KERNELS: spec.way } : {};
    this.#child = spawn(command, [script, JSON.stringify(spec)], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...kernels, OMP_NUM_THREADS: String(spec.threads), HF_HUB_OFFLINE: "1" },
    });
    // What fails shows as the end of its answers.
    this.#child.on("error", (error) => this.#messages.push(error.message));
    this.#child.stdin.on("error", () => {});
    createInterface({ input: this.#child.stderr }).on("line", (line) => {
      this.#messages.push(line);
      if (this.#messages.length > 5) this.#messages.shift();
    });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Starts a side and waits until it is ready. @param {Spec} spec @param {string} python */
  static async open(spec, python) {
    const side = new Side(spec, python);
    const { version } = await side.#answer();
    return { side, version: /** @type {string} */ (version) };
  }

  /** Values that must be the same on both sides. @param {Record<string, unknown>} given @returns {Promise<any>} */
  check(given) {
    return this.#ask({ do: "check", ...given });
  }

  /**
   * Works for at least so long, and at least once.
   * @param {number} seconds
   * @param {number} [item]
   * @returns {Promise<number>} tokens, or floating-point operations, per second
   */
  async turn(seconds, item) {
    const done = await this.#ask({ do: "turn", seconds, item });
    return done.amount / done.seconds;
  }

  /**
   * The most memory that the process ever had resident, and what a timer of 10 ms in it was late by at most.
   * @returns {Promise<{ peakBytes: number, latestMs?: number }>}
   */
  burden() {
    return this.#ask({ do: "burden" });
  }

  /** What the side says on a request of its own kind. @param {string} what @returns {Promise<any>} */
  tell(what) {
    return this.#ask({ do: what });
  }

  /** Ends the process and waits for its end. */
  async close() {
    if (this.#child.exitCode !== null || this.#child.pid === undefined) return;
    const ended = new Promise((done) => this.#child.once("exit", done));
    this.#child.stdin.end();
    const forced = setTimeout(() => this.#child.kill("SIGKILL"), 5000);
    await ended;
    clearTimeout(forced);
  }

  /** @param {Record<string, unknown>} request @returns {Promise<any>} */
  #ask(request) {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    return this.#answer();
  }

  /** @returns {Promise<any>} */
  async #answer() {
    const { value, done } = await this.#lines.next();
    if (done) throw new SideError(`${this.way} ended: ${this.#messages.join(" | ")}`);
    const answer = JSON.parse(value);
    if (answer.error !== undefined) throw new SideError(`${this.way}: ${answer.error}`);
    return answer;
  }
}
