import { EventEmitter } from "node:events";
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { trainSchema, type TrainConfiguration } from "../config/schema.ts";
import { ConfigError, EngineError, SandboxError, StoreError } from "../errors.ts";
import { addConfigurationFlags, readConfiguration } from "./configuration-flags.ts";
import type { CliContext, RegisterCommand } from "./context.ts";
import { main } from "./main.ts";

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

class Capture extends EventEmitter {
  text = "";
  write(text: string): boolean {
    this.text += text;
    return true;
  }
}

/** A program with one command, `work`, which does what the test says, and `train` with its configuration. */
function commandsDoing(work: (context: CliContext) => Promise<void>, configurations: TrainConfiguration[] = []) {
  const registerWork: RegisterCommand = (program, context) => {
    program.command("work").action(() => work(context));
  };
  const registerTrain: RegisterCommand = (program) => {
    const train = new Command("train").description("Train a generator and a verifier.");
    addConfigurationFlags(train, trainSchema);
    train.action(() => {
      configurations.push(readConfiguration(train, trainSchema));
    });
    program.addCommand(train);
  };
  return [registerWork, registerTrain];
}

async function run(
  argv: readonly string[],
  work: (context: CliContext) => Promise<void> = async () => undefined,
): Promise<Ran> {
  const stdout = new Capture();
  const stderr = new Capture();
  const code = await main(argv, { stdout, stderr, commands: commandsDoing(work), signals: new EventEmitter() });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

describe("help and version", () => {
  test("go to stdout with exit code 0", async () => {
    const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
    expect(await run(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
    const help = await run(["--help"]);
    expect(help).toMatchObject({ code: 0, stderr: "" });
    expect(help.stdout).toMatch(/Usage: mucode/);
  });

  test("of train lists every flag with its default, by group", async () => {
    const { code, stdout } = await run(["train", "--help"]);
    expect(code).toBe(0);
    const words = stdout.replace(/\s+/g, " ");
    expect(words).toContain(
      "Rollout: --rollout.rollouts-per-task <n> Rollouts of each training task per iteration (default 4)",
    );
    expect(words).toContain("--suite, --suite.name <text>");
    expect(words).toContain("(bradley-terry | bce; default bradley-terry)");
  });

  test("are what a bare mucode prints, to stderr, as a mistake of usage", async () => {
    const bare = await run([]);
    expect(bare).toMatchObject({ code: 2, stdout: "" });
    expect(bare.stderr).toMatch(/^Usage: mucode/);
  });
});

describe("exit codes and messages", () => {
  test("a command that succeeds ends with 0, or with the code it sets", async () => {
    expect(await run(["work"])).toEqual({ code: 0, stdout: "", stderr: "" });
    const found = await run(["work"], async (context) => {
      context.stdout.write("2 tasks fail\n");
      context.setExitCode(1);
    });
    expect(found).toEqual({ code: 1, stdout: "2 tasks fail\n", stderr: "" });
  });

  test("a mistake of the user ends with 2 and its message alone", async () => {
    const ran = await run(["work"], () => Promise.reject(new ConfigError("suite.data: x.jsonl is missing")));
    expect(ran).toEqual({ code: 2, stdout: "", stderr: "mucode: suite.data: x.jsonl is missing\n" });
  });

  test("a failure of the infrastructure ends with 1, its causes, where, and how to go on", async () => {
    const ran = await run(["work"], async (context) => {
      context.setResumeHint("The same command resumes where it left off.");
      const cause = new Error("could not allocate", { cause: new TypeError("bad size") });
      throw new EngineError("the model did not load", { file: "model.safetensors" }, { cause });
    });
    expect(ran).toEqual({
      code: 1,
      stdout: "",
      stderr: [
        "mucode: the model did not load",
        "  caused by Error: could not allocate",
        "  caused by TypeError: bad size",
        "  where: file model.safetensors",
        "The same command resumes where it left off.",
        "",
      ].join("\n"),
    });
    const sandbox = await run(["work"], () => Promise.reject(new SandboxError("worker died")));
    expect(sandbox.stderr).toBe(
      "mucode: worker died\nThe sandbox failed, which says nothing about the programs it ran.\n",
    );
    const store = await run(["work"], () => Promise.reject(new StoreError("disk full", { file: "x" })));
    expect(store).toEqual({ code: 1, stdout: "", stderr: "mucode: disk full\n" });
  });

  test("progress under way is left as it is, and nothing is drawn over the message", async () => {
    const stderr = new Capture();
    let write: (text: string) => void = () => undefined;
    const commands = commandsDoing(async ({ stderr: progress }) => {
      write = (text) => progress.write(text);
      write("rollouts  1/2 programs");
      throw new ConfigError("no");
    });
    await main(["work"], { stdout: new Capture(), stderr, commands, signals: new EventEmitter() });
    write("rollouts  2/2 programs");
    expect(stderr.text).toBe("rollouts  1/2 programs\nmucode: no\n");
  });

  test("anything else ends with 1 and its stack", async () => {
    const ran = await run(["work"], () => Promise.reject(new TypeError("x is undefined")));
    expect(ran.code).toBe(1);
    expect(ran.stderr).toMatch(/^mucode: unexpected error.*\nTypeError: x is undefined\n\s+at /);
  });

  test.each([
    [["wrok"], "unknown command wrok; did you mean work?\nSee mucode --help.\n"],
    [["work", "--verbose"], "unknown flag --verbose\nSee mucode work --help.\n"],
    [
      ["train", "--rollout.turn=2"],
      "unknown flag --rollout.turn=2; did you mean --rollout.turns?\nSee mucode train --help.\n",
    ],
    [
      ["train", "--turns", "2"],
      "unknown flag --turns; did you mean --rollout.turns or --evaluation.turns?\nSee mucode train --help.\n",
    ],
    [["train", "--baseModel", "x"], "unknown flag --baseModel; did you mean --base-model?\nSee mucode train --help.\n"],
    [["train", "--rollout.turns"], "option '--rollout.turns <n>' argument missing.\nSee mucode train --help.\n"],
    [["train", "--rollout.turns", "two"], "--rollout.turns: two is not an integer of at least 1\n"],
    [["train", "--limit", "0"], "--limit: 0 is not an integer of at least 1\n"],
    [["train", "--limit", "few"], "--limit: few is not an integer of at least 1\n"],
    [
      ["train", "--relabel.rule", "outcomes"],
      "--relabel.rule: outcomes is not one of outcome-then-verifier, outcome, verifier (did you mean outcome?)\n",
    ],
  ])("a mistake of usage ends with 2 and what was meant: %j", async (argv, message) => {
    expect(await run(argv)).toEqual({ code: 2, stdout: "", stderr: `mucode: ${message}` });
  });
});

test("flags become the configuration, by their types", async () => {
  const configurations: TrainConfiguration[] = [];
  const argv = [
    "train",
    "--suite",
    "mbpp",
    "--data",
    "d",
    "--seed=7",
    "--generator.learning-rate",
    "1e-4",
    "--limit",
    "300",
  ];
  const more = [
    "--suite.show-public-tests",
    "--verifier.show-public-tests",
    "false",
    "--base-model",
    "b",
    "--iterations",
    "1",
  ];
  const stderr = new Capture();
  const commands = commandsDoing(async () => undefined, configurations);
  const code = await main([...argv, ...more], { stdout: stderr, stderr, commands, signals: new EventEmitter() });
  expect(stderr.text).toBe("");
  expect(code).toBe(0);
  expect(configurations).toMatchObject([
    {
      suite: { name: "mbpp", data: "d", showPublicTests: true, trainTasks: 300, testTasks: 300 },
      seed: 7,
      baseModel: "b",
      iterations: 1,
      generator: { learningRate: 1e-4 },
      verifier: { showPublicTests: false },
    },
  ]);
});

describe("interrupts", () => {
  const untilAborted = ({ signal }: CliContext): Promise<void> =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason as Error));
    });

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ])("%s aborts the work and ends with %i and the way to go on", async (name, expected) => {
    const signals = new EventEmitter();
    const stderr = new Capture();
    const commands = commandsDoing(async (context) => {
      context.setResumeHint("The same command resumes where it left off.");
      setImmediate(() => signals.emit(name));
      await untilAborted(context);
    });
    const code = await main(["work"], { stdout: new Capture(), stderr, commands, signals });
    expect(code).toBe(expected);
    expect(stderr.text).toBe(
      "\nStopping; Ctrl-C again stops at once.\nStopped. The same command resumes where it left off.\n",
    );
    expect(signals.listenerCount(name)).toBe(0);
  });

  test("a second Ctrl-C ends the process at once", async () => {
    const signals = new EventEmitter();
    const stderr = new Capture();
    const code = await new Promise<number>((exit) => {
      const commands = commandsDoing(() => new Promise(() => undefined));
      void main(["work"], { stdout: new Capture(), stderr, commands, signals, exit });
      signals.emit("SIGINT");
      signals.emit("SIGINT");
    });
    expect(code).toBe(130);
    expect(stderr.text).toBe("\nStopping; Ctrl-C again stops at once.\nStopped.\n");
  });

  test("a reader of stdout that goes away stops the work without a complaint", async () => {
    const stdout = new Capture();
    const stderr = new Capture();
    const commands = commandsDoing(async (context) => {
      setImmediate(() => stdout.emit("error", Object.assign(new Error("write EPIPE"), { code: "EPIPE" })));
      await untilAborted(context);
    });
    expect(await main(["work"], { stdout, stderr, commands, signals: new EventEmitter() })).toBe(0);
    expect(stderr.text).toBe("");
  });
});
