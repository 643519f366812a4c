#!/usr/bin/env node
/**
 * Packs the package, installs it in an empty project, and does there what the README promises a user of the package.
 * `node test/package/install.mjs [npm | npm@10 | pnpm@latest …]`; needs the npm registry and nothing else of the network.
 */
import assert from "node:assert/strict";
import { access, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { makeProject, packagesWithInstallScript, run, sizeOf } from "./project.mjs";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const managers = process.argv.length > 2 ? process.argv.slice(2) : ["npm"];
const MOST_BYTES = 100e6;
const SMALL_TRAINING = `--iterations 1 --suite.train-tasks 8 --suite.test-tasks 4 --rollout.rollouts-per-task 2
  --evaluation.candidates 2 --out run --json`.split(/\s+/);
/** Whether mucode computes here with what it comes with. */
const hasKernels = process.platform === "linux" && process.arch === "x64";

/** @param {string} line */
const say = (line) => process.stdout.write(`${line}\n`);

const home = await mkdtemp(join(tmpdir(), "mucode-package-"));
try {
  const tarball = await pack();
  for (const manager of managers) await tryOut(manager, tarball);
} finally {
  await rm(home, { recursive: true, force: true });
}

/** @param {import("./project.mjs").Result} result @returns {string} its stdout */
function succeeded({ exitCode, stdout, stderr }) {
  assert.equal(exitCode, 0, `${stdout}\n${stderr}`);
  return stdout;
}

async function pack() {
  const packing = await run("npm", ["pack", "--silent", "--pack-destination", home], { cwd: repository });
  succeeded(packing);
  const [name] = (await readdir(home)).filter((file) => file.endsWith(".tgz"));
  assert.ok(name, `npm pack wrote nothing: ${packing.stdout}`);
  say(`packed ${name}`);
  return join(home, name);
}

/** @param {string} manager @param {string} tarball */
async function tryOut(manager, tarball) {
  const project = join(home, manager.replaceAll(/\W+/g, "-"));
  await makeProject(project);
  const [file, ...before] = manager === "npm" ? ["npm"] : ["npx", "--yes", manager];
  /** @param {readonly string[]} args */
  const manage = (args) => run(/** @type {string} */ (file), [...before, ...args], { cwd: project });
  const adding = manager.startsWith("npm") ? "install" : "add";
  const installed = await manage([adding, tarball]);
  succeeded(installed);
  // Of the settings of whoever runs this a newer npm may not know all.
  const said = `${installed.stdout}\n${installed.stderr}`.replaceAll(/^npm warn Unknown (env|user) config .*$/gm, "");
  assert.doesNotMatch(said, /\bwarn/i);
  const modules = join(project, "node_modules");
  const bytes = await sizeOf(modules);
  assert.ok(bytes < MOST_BYTES, `${bytes} bytes are installed`);
  assert.deepEqual(await packagesWithInstallScript(modules), []);
  say(`${manager}: installed, ${(bytes / 1e6).toFixed(0)} MB`);

  /** @param {string} script @param {string[]} args @param {{ stdin?: string, env?: Record<string, string> }} [options] */
  const node = (script, args, options = {}) => run(process.execPath, [script, ...args], { cwd: project, ...options });
  const own = join(modules, "mucode");
  /** @param {string[]} args @param {{ stdin?: string, env?: Record<string, string> }} [options] */
  const mucode = (args, options) => node(join(own, "bin", "mucode.js"), args, options);

  await checkLinks(own);
  await checkExports(project, node);
  const task = succeeded(await mucode(["tasks", "show", "mubpp", "--split", "test", "--limit", "1", "--json"]));
  const withOnnxRuntime = { stdin: task, env: { MUCODE_KERNELS: "onnxruntime" } };
  const refused = await mucode(["solve", "-"], withOnnxRuntime);
  assert.equal(refused.exitCode, 2, refused.stderr);
  const command = /^mucode: .*install it: npm (install .*)$/m.exec(refused.stderr)?.[1];
  assert.ok(command, refused.stderr);
  say(`${manager}: says what it needs where ONNX Runtime computes`);
  if (!hasKernels) await installOnnxRuntime();

  assert.match(succeeded(await mucode(["solve", "-"], { stdin: task })), /^def /m);
  say(`${manager}: solve`);
  const { comparison } = JSON.parse(succeeded(await mucode(["train", ...SMALL_TRAINING])));
  assert.ok(comparison.solveRates.length > 0);
  say(`${manager}: train`);
  await writeFile(join(project, "samples.jsonl"), samplesFor(JSON.parse(task)));
  const grading = ["grade", "samples.jsonl", "--suite", "mubpp", "--split", "test", "--limit", "1", "--json"];
  succeeded(await mucode(grading));
  const results = (await readFile(join(project, "samples.results.jsonl"), "utf8")).trim().split("\n");
  assert.deepEqual(
    results.map((line) => JSON.parse(line).passed),
    [true, false],
  );
  say(`${manager}: grade`);
  assert.match(succeeded(await node(join(own, "examples", "solve.mjs"), [])), /^def /m);
  assert.match(succeeded(await node(join(own, "examples", "train.mjs"), ["example"])), /µCode/);
  say(`${manager}: examples`);

  if (hasKernels && manager === managers[0]) await installOnnxRuntime();

  /** By the command of the message. */
  async function installOnnxRuntime() {
    const words = /** @type {string} */ (command).split(" ");
    succeeded(await manage([adding, ...words.slice(1)]));
    assert.match(succeeded(await mucode(["solve", "-"], withOnnxRuntime)), /^def /m);
    say(`${manager}: solve with ONNX Runtime`);
  }
}

/** The task's gold program, and one that is wrong. @param {{ id: string, goldProgram: string, entryPoint: string }} task */
function samplesFor({ id, goldProgram, entryPoint }) {
  const wrong = `def ${entryPoint}(*given):\n    return None\n`;
  return [goldProgram, wrong].map((solution) => `${JSON.stringify({ task_id: id, solution })}\n`).join("");
}

/**
 * What the package's README and documents link to is in the package.
 * @param {string} own
 */
async function checkLinks(own) {
  const documents = ["README.md", "recipes/README.md"];
  for (const name of await readdir(join(own, "docs"), { recursive: true })) {
    if (name.endsWith(".md")) documents.push(join("docs", name));
  }
  for (const document of documents) {
    const text = await readFile(join(own, document), "utf8");
    for (const [, link] of text.matchAll(/\]\(([^)#\s]+)(?:#[^)\s]*)?\)/g)) {
      if (link === undefined || /^[a-z]+:/.test(link)) continue;
      const target = normalize(join(own, dirname(document), link));
      await access(target).catch(() =>
        assert.fail(`${document} links to ${relative(own, target)}, which is not there`),
      );
    }
  }
}

/** @param {string} project @param {(script: string, args: string[]) => Promise<import("./project.mjs").Result>} node */
async function checkExports(project, node) {
  const script = join(project, "exports.mjs");
  await writeFile(
    script,
    `import { createRequire } from "node:module";
import { solve, train } from "mucode";
const require = createRequire(import.meta.url);
const { version } = require("mucode/package.json");
const { properties } = require("mucode/schemas/task.schema.json");
console.log(JSON.stringify([typeof solve, typeof train, typeof version, typeof properties.publicTests]));
`,
  );
  assert.deepEqual(JSON.parse(succeeded(await node(script, []))), ["function", "function", "string", "object"]);
}
