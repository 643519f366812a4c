import { execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { NEVER_MS, until } from "../../test/until.ts";
import { endLeftovers } from "./leftovers.ts";
import { describeExit, startManagedProcess, type ManagedProcessOptions } from "./managed-process.ts";
import { endTree, membersOf, startOf } from "./process-tree.mjs";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "mucode-processes-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const start = (script: string, options: Partial<ManagedProcessOptions> = {}) =>
  startManagedProcess({
    command: [process.execPath, "-e", script],
    logFile: join(directory, "log.txt"),
    records: join(directory, "processes"),
    graceMs: NEVER_MS,
    ...options,
  });

const records = (): string[] => readdirSync(join(directory, "processes"));

const lives = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
};

const pidIn = (name: string): number | null => {
  const file = join(directory, name);
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  return text === "" ? null : Number(text);
};

const parentOf = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ")[1]);

/** Writes its pid and stays, whatever it is asked. */
const stubborn = (pidFile: string): string =>
  `process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); require("fs").writeFileSync(${JSON.stringify(pidFile)}, String(process.pid));`;

describe("a managed process", () => {
  it("writes both outputs into its log, tells its lines and how it ended", async () => {
    const lines: string[] = [];
    const managed = await start(
      `console.log("one"); console.error("two"); console.log("three"); process.exitCode = 3`,
      {
        onLine: (line) => lines.push(line),
      },
    );
    expect(await managed.exited).toEqual({ kind: "exited", exitCode: 3 });
    expect(lines.toSorted()).toEqual(["one", "three", "two"]);
    expect(managed.lastLines()).toEqual(lines);
    expect(await readFile(managed.logFile, "utf8")).toBe(`${lines.join("\n")}\n`);
    expect(records()).toEqual([]);
  });

  it("follows the log alone that it writes itself, and keeps what was there", async () => {
    await writeFile(join(directory, "log.txt"), "of an earlier run\n");
    const told: string[] = [];
    const onLine = (line: string): void => void told.push(line);
    const managed = await start(`process.stdout.write("progress 1\\rprogress 2\\rdone")`, { onLine });
    await managed.exited;
    expect(told).toEqual(["progress 1", "progress 2", "done"]);
    expect(managed.lastLines()).toEqual(told);
    expect(await readFile(managed.logFile, "utf8")).toMatch(/^of an earlier run\n/);
  });

  it("is heard before it has ended a line", async () => {
    const asked = join(directory, "asked");
    const managed = await start(
      `const asked = setInterval(() => {
        if (!require("fs").existsSync(${JSON.stringify(asked)})) return;
        clearInterval(asked);
        process.stdout.write(".");
      }, 10);
      setInterval(() => {}, 1000)`,
    );
    const before = managed.heardMs;
    await writeFile(asked, "");
    await until(() => managed.heardMs > before);
    expect(managed.lastLines()).toEqual(["."]);
    await managed.stop();
  });

  it("says so when the program is not there", async () => {
    const managed = await start("", { command: ["no-such-program-anywhere"] });
    const exit = await managed.exited;
    expect(exit).toMatchObject({ kind: "not-started", code: "ENOENT" });
    expect(describeExit(exit)).toMatch(/could not be started .*no-such-program-anywhere/);
    expect(managed.pid).toBeNull();
  });

  it("sees variables that are added and not those taken out", async () => {
    process.env["MUCODE_TEST_TAKEN"] = "there";
    const managed = await start(`console.log(process.env.ADDED, process.env.MUCODE_TEST_TAKEN)`, {
      environment: { ADDED: "yes", MUCODE_TEST_TAKEN: undefined },
    });
    await managed.exited;
    delete process.env["MUCODE_TEST_TAKEN"];
    expect(managed.lastLines()).toEqual(["yes undefined"]);
  });

  it("is asked to end, and ended by force when it does not", async () => {
    const polite = await start(
      `process.on("SIGTERM", () => process.exit(7)); setInterval(() => {}, 1000); console.log("up")`,
    );
    await until(() => polite.lastLines().length > 0);
    expect(await polite.stop()).toEqual({ kind: "exited", exitCode: 7 });

    const rude = await start(stubborn(join(directory, "rude")), { logFile: join(directory, "rude.txt") });
    const pid = await until(() => pidIn("rude"));
    expect(await rude.stop({ graceMs: 200 })).toEqual({ kind: "killed", signal: "SIGKILL" });
    expect(lives(pid)).toBe(false);
    expect(await rude.stop()).toEqual({ kind: "killed", signal: "SIGKILL" });
  });

  it.each([
    [
      "in a session of its own, as torchrun starts them",
      "found by its mark",
      "{ detached: true, stdio: 'ignore' }",
      "",
    ],
    ["that hides its environment too", "found by its parent", "{ detached: true, stdio: 'ignore', env: {} }", "stay"],
    ["that has lost its parent besides", "found by its group", "{ stdio: 'ignore', env: {} }", ""],
  ])("takes a worker along %s (%s)", async (_worker, _found, options, between) => {
    const worker = stubborn(join(directory, "worker"));
    const stay = "setInterval(() => {}, 1000);";
    const startWorker = `require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(worker)}], ${options}).unref();`;
    // Between the program and the worker is a process that stays or ends.
    const middle = startWorker + (between === "stay" ? stay : "");
    const managed = await start(
      `require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(middle)}], { stdio: "ignore" }); ${stay}`,
    );
    const pid = await until(() => pidIn("worker"));
    await managed.stop({ graceMs: 200 });
    expect(lives(pid)).toBe(false);
  });

  it("ends with its supervisor, and says so", async () => {
    const managed = await start(stubborn(join(directory, "program")), { graceMs: 100 });
    const pid = await until(() => pidIn("program"));
    process.kill(parentOf(pid), "SIGKILL");
    expect(await managed.exited).toEqual({ kind: "lost" });
    expect(lives(pid)).toBe(false);
    expect(records()).toEqual([]);
  });

  it("leaves no worker behind when it is killed or ends by itself", async () => {
    const worker = stubborn(join(directory, "worker"));
    const managed = await start(
      `require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(worker)}], { detached: true, stdio: "ignore" }); setInterval(() => {}, 1000)`,
      { graceMs: 100 },
    );
    const pid = await until(() => pidIn("worker"));
    process.kill(managed.pid!, "SIGKILL");
    expect(await managed.exited).toEqual({ kind: "killed", signal: "SIGKILL" });
    expect(lives(pid)).toBe(false);
  });
});

describe("where whoever started it is killed", () => {
  let workplace: string;
  beforeAll(async () => {
    // The parent runs plain Node, so the room and what it stands on are compiled for it.
    workplace = await mkdtemp(join(tmpdir(), "mucode-processes-built-"));
    const source = fileURLToPath(new URL("..", import.meta.url));
    for (const name of ["processes", "store", "errors.ts"]) {
      await cp(join(source, name), join(workplace, "src", name), {
        recursive: true,
        filter: (file) => !file.endsWith(".test.ts"),
      });
    }
    await writeFile(join(workplace, "package.json"), '{ "type": "module" }');
    await symlink(join(source, "..", "node_modules"), join(workplace, "node_modules"));
    const typescript = dirname(createRequire(import.meta.url).resolve("typescript/package.json"));
    const options = ["--rootDir", "src", "--outDir", "dist", "--module", "nodenext", "--target", "es2023", "--noCheck"];
    execFileSync(
      process.execPath,
      [
        join(typescript, "bin", "tsc"),
        ...options,
        "--allowJs",
        "--rewriteRelativeImportExtensions",
        join("src", "processes", "managed-process.ts"),
        join("src", "processes", "supervisor.mjs"),
      ],
      { cwd: workplace },
    );
  });
  afterAll(() => rm(workplace, { recursive: true, force: true }));

  /** A process that starts a stubborn one by this module, which starts a worker in a session of its own. */
  async function startAndKill(kill: (parent: number, child: number) => void): Promise<number[]> {
    const script = join(directory, "parent.mjs");
    const worker = JSON.stringify(stubborn(join(directory, "worker")));
    const startWorker = `require("child_process").spawn(process.execPath, ["-e", ${worker}], { detached: true, stdio: "ignore" });`;
    const command = [process.execPath, "-e", startWorker + stubborn(join(directory, "child"))];
    const options = {
      command,
      logFile: join(directory, "log.txt"),
      records: join(directory, "processes"),
      graceMs: 100,
    };
    const module = join(workplace, "dist", "processes", "managed-process.js");
    await writeFile(
      script,
      `import { startManagedProcess } from ${JSON.stringify(module)};\nawait startManagedProcess(${JSON.stringify(options)});`,
    );
    const parent = spawn(process.execPath, [script], { stdio: "inherit" });
    const child = await until(() => pidIn("child"));
    const workerPid = await until(() => pidIn("worker"));
    kill(parent.pid!, child);
    return [child, workerPid];
  }

  it("ends within its grace", async () => {
    const started = await startAndKill((parent) => process.kill(parent, "SIGKILL"));
    await until(() => !started.some(lives));
    expect(started.filter(lives)).toEqual([]);
    // The record stays, as nobody was there to remove it; the next start does.
    expect(await endLeftovers(join(directory, "processes"), { graceMs: 100 })).toEqual([]);
    expect(records()).toEqual([]);
  });

  it("and its supervisor with it, is ended by the next start, and nothing else is", async () => {
    const bystander = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    const started = await startAndKill((parent, child) => {
      const supervisor = parentOf(child);
      process.kill(parent, "SIGSTOP");
      process.kill(supervisor, "SIGKILL");
      process.kill(parent, "SIGKILL");
    });
    expect(started.filter(lives)).toEqual(started);
    // A record whose number another process bears now.
    await writeFile(
      join(directory, "processes", "old.json"),
      JSON.stringify({
        mark: "00000000-0000-4000-8000-000000000000",
        command: ["old"],
        group: bystander.pid,
        start: "boot:1",
      }),
    );
    const ended = await endLeftovers(join(directory, "processes"), { graceMs: 100 });
    expect(ended.map(({ pids }) => pids.toSorted())).toEqual([started.toSorted()]);
    expect(started.filter(lives)).toEqual([]);
    expect(startOf(bystander.pid!)).not.toBeNull();
    expect(records()).toEqual([]);
    bystander.kill("SIGKILL");
  });
});

it("a group without its first process belongs to a tree only where that process was started", async () => {
  const leader = spawn("sh", ["-c", "sleep 86400 & echo $!; read line"], {
    detached: true,
    stdio: ["pipe", "pipe", "ignore"],
  });
  const [output] = (await once(leader.stdout, "data")) as [Buffer];
  const tree = { mark: randomUUID(), group: leader.pid!, start: startOf(leader.pid!) };
  leader.stdin.end("\n");
  await once(leader, "exit");
  expect(membersOf(tree)).toEqual([Number(output)]);
  expect(membersOf({ ...tree, start: "another-machine/1:5" })).toEqual([]);
  await endTree(tree, { graceMs: NEVER_MS });
  expect(membersOf(tree)).toEqual([]);
});
