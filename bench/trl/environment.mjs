/** A Python with the pinned versions of TRL and what it needs, made once, and the two short programs that it runs here. */
import { execFile, spawn } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const requirements = fileURLToPath(new URL("../../recipes/trl/requirements.txt", import.meta.url));
const run = promisify(execFile);

/** Writes a reward model at each place: the base model with a head drawn as TRL draws it, another one at each. */
const NEW_HEADS = `
import sys, torch
from transformers import AutoModelForSequenceClassification
base, *places = sys.argv[1:]
for seed, place in enumerate(places, 1):
    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1, dtype=torch.float32)
    model.save_pretrained(place)
`;

/** Opens each folder and tells what it found. */
const LOAD_DATA_SETS = `
import json, sys
from datasets import disable_progress_bars, load_dataset
disable_progress_bars()
cache, *folders = sys.argv[1:]
found = []
for folder in folders:
    data = load_dataset(folder, cache_dir=cache)["train"]
    found.append({"rows": data.num_rows, "columns": sorted(data.column_names), "first": data[0]})
print(json.dumps(found))
`;

/**
 * The Python of a virtual environment at `place` with what `recipes/trl/requirements.txt` pins; made there when it is
 * not, which needs `pip` to find the packages. `seconds` is `null` when it was there.
 * @param {string} place
 * @returns {Promise<{ python: string, seconds: number | null }>}
 */
export async function preparePython(place) {
  const python = join(resolve(place), process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
  const wanted = await readFile(requirements, "utf8");
  // Written last: an environment without it was cut off, or is one of other versions.
  const installed = join(place, "installed.txt");
  if ((await readFile(installed, "utf8").catch(() => "")) === wanted) return { python, seconds: null };
  const started = performance.now();
  console.error(`making a virtual environment with TRL and torch in ${place}: some minutes, 1.5 GB`);
  await rm(place, { recursive: true, force: true });
  await mkdir(place, { recursive: true });
  await inherit("python3", ["-m", "venv", place]);
  await inherit(python, ["-m", "pip", "install", "-qq", "--requirement", requirements]);
  await writeFile(installed, wanted);
  const seconds = (performance.now() - started) / 1000;
  console.error(`made in ${seconds.toFixed(0)} s`);
  return { python, seconds };
}

/** @param {string} python @returns {Promise<Record<string, string>>} */
export async function pythonVersions(python) {
  const program =
    "import json, platform; from importlib.metadata import version;" +
    'print(json.dumps({"python": platform.python_version()} | {n: version(n) for n in ' +
    '["trl", "transformers", "accelerate", "torch", "datasets"]}))';
  return JSON.parse((await run(python, ["-c", program])).stdout);
}

/** @param {string} python @param {string} base @param {readonly string[]} places */
export async function writeNewHeads(python, base, places) {
  await run(python, ["-c", NEW_HEADS, base, ...places], offline());
}

/**
 * @param {string} python @param {string} cache @param {readonly string[]} folders
 * @returns {Promise<{ rows: number, columns: string[], first: Record<string, unknown> }[]>}
 */
export async function loadDataSets(python, cache, folders) {
  return JSON.parse((await run(python, ["-c", LOAD_DATA_SETS, cache, ...folders], offline())).stdout);
}

/**
 * Runs a program whose messages are shown and whose output is not.
 * @param {string} command @param {readonly string[]} words
 * @returns {Promise<void>}
 */
export function inherit(command, words) {
  return new Promise((done, failed) => {
    const child = spawn(command, words, { stdio: ["ignore", "ignore", "inherit"] });
    // Who stops this program by its process id stops what it runs, too.
    const stop = () => void child.kill("SIGTERM");
    process.once("SIGTERM", stop);
    child.once("error", failed);
    child.once("exit", (code, signal) => {
      process.off("SIGTERM", stop);
      if (code === 0) done();
      else failed(new Error(`${command} ${words.join(" ")}\nended with ${signal ?? `exit code ${code}`}`));
    });
  });
}

function offline() {
  return { env: { ...process.env, HF_HUB_OFFLINE: "1", TOKENIZERS_PARALLELISM: "false" }, maxBuffer: 1 << 28 };
}
