/**
 * Stops every command that resumes, again and again, by SIGINT or SIGTERM at random times, and lets it end: no stack may be
 * shown, no finished record be lost, and the result must be that of an undisturbed run.
 *
 * `npm run bench:interrupts -- [--interrupts N] [--seed S] [--only train,eval,…]`
 */
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createRandom } from "../dist/random.js";

const { values: given } = parseArgs({
  options: {
    interrupts: { type: "string", default: "200" },
    seed: { type: "string", default: "1" },
    only: { type: "string" },
  },
});
const wanted = Number(given.interrupts);
const random = createRandom("interrupts", given.seed);
const program = fileURLToPath(new URL("../bin/mucode.js", import.meta.url));
const workplace = await mkdtemp(join(tmpdir(), "mucode-interrupts-"));

const flags = (/** @type {Record<string, string | number>} */ values) =>
  Object.entries(values).map(([key, value]) => `--${key}=${value}`);
const tiny = {
  "suite.train-tasks": 12,
  "suite.test-tasks": 8,
  "rollout.rollouts-per-task": 4,
  "rollout.turns": 2,
  "evaluation.turns": 2,
  "evaluation.candidates": 3,
  "generator.epochs": 1,
  "verifier.epochs": 1,
};
const samplesFile = join(workplace, "samples.jsonl");

/** Arguments by command; `out` is where the run lies. */
const commands = {
  train: (/** @type {string} */ out) => ["train", ...flags({ ...tiny, iterations: 1, out })],
  eval: (/** @type {string} */ out) => [
    "eval",
    ...flags({ "suite.limit": 24, "evaluation.turns": 2, "evaluation.candidates": 4, out }),
  ],
  collect: (/** @type {string} */ out) => [
    "collect",
    ...flags({ "suite.limit": 40, "rollout.rollouts-per-task": 4, "rollout.turns": 3, out }),
  ],
  grade: (/** @type {string} */ out) => [
    "grade",
    samplesFile,
    ...flags({ suite: "mubpp", limit: 40, out: join(out, "results.jsonl") }),
  ],
  experiment: (/** @type {string} */ out) => [
    "experiment",
    "paper-mini",
    ...flags({
      ...tiny,
      seeds: 1,
      "suite.test-tasks": 4,
      "evaluation.most-candidates": 3,
      "evaluation.long-turns": 2,
      out,
    }),
  ],
};

/**
 * @param {readonly string[]} args
 * @param {{ signal: NodeJS.Signals, afterMs: number }} [interrupt]
 * @returns {Promise<{ code: number | null, signal: NodeJS.Signals | null, stderr: string, interrupted: boolean, ms: number }>}
 */
function run(args, interrupt) {
  return new Promise((resolve) => {
    const started = performance.now();
    const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "ignore", "pipe"] });
    let stderr = "";
    let interrupted = false;
    child.stderr.on("data", (/** @type {Buffer} */ chunk) => (stderr += chunk.toString()));
    const timer = interrupt && setTimeout(() => (interrupted = child.kill(interrupt.signal)), interrupt.afterMs);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, stderr, interrupted, ms: performance.now() - started });
    });
  });
}

/** Every file of records below a directory; half lines, which only a killed writer leaves, are not records. */
async function readRecords(/** @type {string} */ directory) {
  /** @type {Map<string, string[]>} */
  const files = new Map();
  const names = await readdir(directory, { recursive: true }).catch(() => []);
  for (const name of names.filter((one) => one.endsWith(".jsonl") && !one.endsWith("metrics.jsonl"))) {
    files.set(name, (await readFile(join(directory, name), "utf8")).split("\n").slice(0, -1));
  }
  return files;
}

/** Report and records, without times and places. */
async function readResult(/** @type {string} */ directory) {
  const names = (await readdir(directory)).filter((name) => /^(?:report|results.*)\.json$/.test(name)).toSorted();
  const untimely = new Set(["time", "seconds", "finishedAt", "startedAt"]);
  const reports = [];
  for (const name of names) {
    const text = (await readFile(join(directory, name), "utf8")).replaceAll(directory, "RUN");
    reports.push(JSON.parse(text, (key, value) => (untimely.has(key) ? undefined : value)));
  }
  const records = Object.fromEntries([...(await readRecords(directory))].toSorted());
  return JSON.stringify({ reports, records });
}

/** The first line of `before` that `after` has not. */
function lostRecord(/** @type {Map<string, string[]>} */ before, /** @type {Map<string, string[]>} */ after) {
  for (const [name, lines] of before) {
    const kept = new Set(after.get(name) ?? []);
    const lost = lines.find((line) => !kept.has(line));
    if (lost !== undefined) return `${name}: ${lost.slice(0, 100)}`;
  }
  return null;
}

const samples = Array.from({ length: 240 }, (_, index) => ({
  task_id: `mubpp/test/${index % 40}`,
  solution: `def f(*a):\n    return ${index}\n`,
}));
await writeFile(samplesFile, samples.map((sample) => `${JSON.stringify(sample)}\n`).join(""));

const names = (given.only?.split(",") ?? Object.keys(commands)).filter((name) => name in commands);
const faults = [];
let total = 0;
for (const name of /** @type {(keyof typeof commands)[]} */ (names)) {
  const undisturbed = join(workplace, `${name}-undisturbed`);
  await mkdir(undisturbed);
  if (name !== "grade") await rm(undisturbed, { recursive: true });
  const whole = await run(commands[name](undisturbed));
  if (whole.code !== 0) throw new Error(`${name} failed undisturbed:\n${whole.stderr}`);
  const result = await readResult(undisturbed);
  const counts = { interrupts: 0, sigint: 0, sigterm: 0, beforeStart: 0, finished: 0, runs: 0, faults: 0 };
  const fault = (/** @type {string} */ text) => {
    counts.faults++;
    faults.push(`${name}: ${text}`);
    console.log(`FAULT ${name}: ${text}`);
  };
  const goal = Math.ceil(wanted / names.length);
  while (counts.interrupts < goal) {
    const out = join(workplace, `${name}-${counts.runs++}`);
    if (name === "grade") await mkdir(out);
    const args = commands[name](out);
    for (let attempt = 0, ended = false; !ended; attempt++) {
      const before = await readRecords(out);
      const signal = random() < 0.5 ? "SIGINT" : "SIGTERM";
      // Not for ever: after a while the run is left to end by itself.
      const disturb = counts.interrupts < goal && attempt < 20;
      const afterMs = 100 + random() * Math.min(6000, whole.ms);
      const attempted = await run(args, disturb ? { signal, afterMs } : undefined);
      const { code, stderr } = attempted;
      const lost = lostRecord(before, await readRecords(out));
      if (lost !== null) fault(`a record is lost: ${lost}`);
      if (/\n\s+at |DOMException|unexpected error/.test(stderr)) fault(`a stack after ${afterMs} ms:\n${stderr}`);
      if (attempted.interrupted && code !== 0) {
        counts.interrupts++;
        counts[signal === "SIGINT" ? "sigint" : "sigterm"]++;
        // Before the program listens the signal itself ends it; nothing is begun then.
        if (code === null && attempted.signal === signal && stderr === "") counts.beforeStart++;
        else if (code !== (signal === "SIGINT" ? 130 : 143))
          fault(`${signal} after ${afterMs} ms: exit code ${code}\n${stderr}`);
        else if (!stderr.includes("he same command")) fault(`${signal}: nothing says how to go on:\n${stderr}`);
      } else if (code === 0) {
        ended = true;
        counts.finished++;
        if ((await readResult(out)) !== result) fault(`the result of ${out} is not that of ${undisturbed}`);
      } else {
        fault(`exit code ${code}:\n${stderr}`);
        ended = true;
      }
    }
    if (counts.faults === 0) await rm(out, { recursive: true, force: true });
  }
  total += counts.interrupts;
  console.log(`${name.padEnd(10)} ${JSON.stringify(counts)} undisturbed ${(whole.ms / 1000).toFixed(1)} s`);
}
console.log(`${total} interrupts, ${faults.length} faults`);
if (faults.length === 0) await rm(workplace, { recursive: true, force: true });
else console.log(`kept: ${workplace}`);
process.exitCode = faults.length === 0 ? 0 : 1;
