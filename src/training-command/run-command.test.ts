/** What is left of a command after `kill -9` of whoever started it: nothing, at once or at the next start. */
import { execFileSync, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { readdirSync, readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { endLeftProcesses } from "./run-command.ts";

const source = dirname(fileURLToPath(import.meta.url));

/** Starts a command with a worker in a session of its own, as torchrun does, and waits for it. */
const parent = `
import { runCommand } from "./dist/training-command/run-command.js";
const wait = "setInterval(() => undefined, 1000)";
const launcher = \`require("node:child_process").spawn(process.execPath, ["-e", \${JSON.stringify(wait)}, process.argv[1], "worker"],
  { detached: true, stdio: "ignore" }); console.log("started"); \${wait}\`;
const place = process.argv[2];
await runCommand({
  words: [process.execPath, "-e", launcher, place], environment: {}, log: place + "/log", processFile: place + "/process.json",
  silenceLimitMs: 1e6, onLine: (line) => console.log(line),
});
`;

let workplace: string;
beforeAll(async () => {
  // The parent runs plain Node, so what it uses is compiled for it.
  workplace = await mkdtemp(join(tmpdir(), "mucode-run-command-"));
  const parts = ["training-command", "store", "config"];
  await mkdir(join(workplace, "src"));
  for (const part of parts) {
    const filter = (file: string): boolean => !file.endsWith(".test.ts");
    await cp(join(source, "..", part), join(workplace, "src", part), { recursive: true, filter });
  }
  await cp(join(source, "..", "errors.ts"), join(workplace, "src", "errors.ts"));
  await writeFile(join(workplace, "package.json"), '{ "type": "module" }');
  await writeFile(join(workplace, "parent.js"), parent);
  const typescript = dirname(createRequire(import.meta.url).resolve("typescript/package.json"));
  const options = ["--rootDir", "src", "--outDir", "dist", "--module", "nodenext", "--target", "es2023", "--noCheck"];
  execFileSync(
    process.execPath,
    [
      join(typescript, "bin", "tsc"),
      ...options,
      "--allowJs",
      "--rewriteRelativeImportExtensions",
      join("src", "training-command", "run-command.ts"),
      join("src", "training-command", "supervisor.mjs"),
    ],
    { cwd: workplace },
  );
}, 60_000);
afterAll(() => rm(workplace, { recursive: true, force: true }));

/** Living processes that name the place, with whether they watch over the command. */
function processesAt(place: string): number[] {
  return readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const alive = !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
      return alive && readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(place) ? [Number(pid)] : [];
    } catch {
      return [];
    }
  });
}

async function until(condition: () => boolean): Promise<void> {
  for (let waitedMs = 0; !condition(); waitedMs += 50) {
    if (waitedMs > 60_000) throw new Error("waited for a minute");
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
  }
}

/** A parent whose command has started, with the worker. */
async function started(name: string) {
  const place = join(workplace, name);
  await mkdir(place);
  const child = spawn(process.execPath, ["parent.js", place], { cwd: workplace, stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => {
    child.stdout.on("data", resolve);
  });
  await until(() => processesAt(place).length === 3);
  return { place, child };
}

/** The process that ends the command when its parent is gone. */
function supervisorOf(parentPid: number): number {
  const found = readdirSync("/proc").find((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
      return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1] === String(parentPid);
    } catch {
      return false;
    }
  });
  return Number(found);
}

describe.runIf(process.platform === "linux")("after kill -9", () => {
  it("of the parent, the command and its workers end", async () => {
    const { place, child } = await started("parent-killed");
    child.kill("SIGKILL");
    await until(() => processesAt(place).length === 0);
    expect(await readFile(join(place, "log"), "utf8")).toContain("started");
  }, 90_000);

  it("of the parent and of the supervisor, the next start ends what they left, and nothing else", async () => {
    const { place, child } = await started("both-killed");
    const other = await started("other");
    process.kill(supervisorOf(child.pid!), "SIGKILL");
    child.kill("SIGKILL");
    await until(() => !processesAt(place).includes(child.pid!));
    expect(processesAt(place)).toHaveLength(2);
    await endLeftProcesses(join(place, "process.json"));
    expect(processesAt(place)).toEqual([]);
    expect(processesAt(other.place)).toHaveLength(3);
    other.child.kill("SIGKILL");
    await until(() => processesAt(other.place).length === 0);
  }, 90_000);
});
