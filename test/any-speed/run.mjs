/**
 * Runs the tests on machines that they must not notice: ten times as fast, ten times as slow, and with one core.
 * `npm run test:any-speed [-- files]`. See docs/testing.md.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const vitest = fileURLToPath(new URL("../../node_modules/vitest/vitest.mjs", import.meta.url));
const preload = new URL("scaled-time.mjs", import.meta.url).href;
const files = process.argv.slice(2);
// The caps of the tests, which are nets for hangs, shrink with the time.
const run = [process.execPath, vitest, "run", ...files];
const oneCore = process.platform === "linux" ? ["taskset", "-c", "0"] : [];

/** @type {readonly (readonly [name: string, command: string[], environment: Record<string, string>])[]} */
const machines = [
  ["ten times as fast", run, { MUCODE_TEST_SPEED: "10", NODE_OPTIONS: `--import ${preload}` }],
  ["ten times as slow", run, { MUCODE_TEST_SPEED: "0.1", NODE_OPTIONS: `--import ${preload}` }],
  ["with one core", [...oneCore, ...run], {}],
];

const failed = machines.filter(([name, [command = "", ...args], environment]) => {
  process.stdout.write(`\nA machine ${name}\n`);
  return spawnSync(command, args, { stdio: "inherit", env: { ...process.env, ...environment } }).status !== 0;
});
for (const [name] of failed) process.stdout.write(`The tests fail on a machine ${name}.\n`);
process.exitCode = failed.length === 0 ? 0 : 1;
