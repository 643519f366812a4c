/**
 * Trains by a command: each stage writes its data set, runs the command, follows its log, and takes over what the
 * command wrote when it is a checkpoint to go on with. TRL's commands, or any other.
 */
import { cp, mkdir, rename, rm } from "node:fs/promises";
import { joinWords } from "../config/words.ts";
import { ConfigError, TrainerError } from "../errors.ts";
import { endLeftovers } from "../processes/leftovers.ts";
import { describeExit } from "../processes/managed-process.ts";
import { fileError } from "../store/file-errors.ts";
import { promptCompletion, verifierExamples } from "../training/data-sets.ts";
import { FitLog } from "../training/fit-log.ts";
import type { Trainer, TrainingRequest, TrainingSummary } from "../training/trainer.ts";
import { writeVerifierSettings } from "../verifier/verifier-files.ts";
import { acceptCheckpoint } from "./accept-checkpoint.ts";
import { type CommandOutcome, runCommand } from "./run-command.ts";
import { type DataLine, readModelLimits, sequenceLengths, writeDataSet } from "./stage-data.ts";
import {
  type CommandTrainerOptions,
  planStage,
  requireTrainable,
  rolesOf,
  type Role,
  stageFiles,
  type StagePlan,
} from "./stage-plan.ts";
import { UnusableFile } from "./tensor-file.ts";
import { readStepLine } from "./training-lines.ts";

/** How much of a log an error shows. */
const LAST_LINES = 12;
const LEFTOVERS_GRACE_MS = 10_000;
const DISK_FULL = /no space left on device|ENOSPC|disk quota exceeded/i;

/**
 * @throws ConfigError for a configuration that cannot be run: unknown placeholders, a loss that the trainer lacks.
 */
export function createCommandTrainer(
  options: CommandTrainerOptions,
): Pick<Trainer, "trainGenerator" | "trainVerifier"> {
  requireTrainable(options);
  // Mistakes in the templates are told now, not hours later.
  for (const role of rolesOf(options)) {
    planStage(options, { role, request: { from: { directory: "base" }, to: { directory: role }, seed: 0 } });
  }
  const { form, showPublicTests } = options.verifier;
  return {
    trainGenerator: (examples, request) => train(options, "generator", examples.map(promptCompletion), request),

    trainVerifier: (data, request) =>
      train(options, "verifier", verifierExamples(data, options.verifier), request, (directory) =>
        // A reward model's scores have no origin of their own.
        writeVerifierSettings(directory, { form, showPublicTests, bias: 0 }),
      ),
  };
}

/** One stage. `complete` adds what a checkpoint of the role has besides. */
async function train(
  options: CommandTrainerOptions,
  role: Role,
  lines: readonly DataLine[],
  request: TrainingRequest,
  complete: (directory: string) => Promise<void> = async () => undefined,
): Promise<TrainingSummary> {
  const { trainer } = options;
  const { from, to, signal } = request;
  const files = stageFiles(to.directory);
  // Of an attempt that was killed together with its supervisor.
  await endLeftovers(files.processes, { graceMs: LEFTOVERS_GRACE_MS });
  await clear(files.output, files.refused, files.cache);
  const limits = await readModelLimits(from.directory);
  const maxLength = trainer.maxLength ?? limits.contextLength;
  const { kept, tokens } = fitting(lines, limits.tokenizer, maxLength);
  const totalSteps =
    kept.length === 0 ? 0 : (request.steps ?? options[role].epochs * Math.ceil(kept.length / options[role].batchSize));
  const plan = planStage(options, { role, request, totalSteps, ...(maxLength !== undefined && { maxLength }) });

  const log = new FitLog(totalSteps, request);
  let last: readonly string[] = [];
  let steps = 0;
  let tokensTold: number | undefined;
  if (kept.length === 0) await keepAsItIs(options, role, request, plan);
  else {
    await writeDataSet(files.data, kept);
    last = await runStage(options, role, plan, signal, (line) => {
      const told = readStepLine(line);
      if (told === undefined) return;
      tokensTold = told.tokens ?? tokensTold;
      const now = Math.min(told.step ?? steps + 1, Math.max(totalSteps, told.steps ?? 0, steps + 1));
      // A trainer that tells of every tenth step tells of ten.
      for (; steps < now; steps++) if (Number.isFinite(told.loss)) log.step(told.loss, []);
    });
  }
  await takeOver(options, role, request, plan, last, complete);
  const perEpoch =
    request.steps === undefined
      ? options[role].epochs
      : (totalSteps * options[role].batchSize) / Math.max(1, kept.length);
  return {
    ...log.summary({ examples: lines.length, tooLong: lines.length - kept.length }),
    steps: totalSteps,
    tokens: tokensTold ?? Math.round((tokens ?? 0) * perEpoch),
  };
}

/** The lines that the model can read, and their tokens where they can be counted here. */
function fitting(
  lines: readonly DataLine[],
  tokenizer: Parameters<typeof sequenceLengths>[1] | undefined,
  maxLength: number | undefined,
): { kept: readonly DataLine[]; tokens: number | undefined } {
  if (tokenizer === undefined) return { kept: lines, tokens: undefined };
  let tokens = 0;
  const kept = lines.filter((line) => {
    const lengths = sequenceLengths(line, tokenizer);
    if (lengths.some((length) => length > (maxLength ?? Infinity))) return false;
    for (const length of lengths) tokens += length;
    return true;
  });
  return { kept, tokens };
}

/** Runs the command; the last lines that it wrote. */
async function runStage(
  { trainer, now }: CommandTrainerOptions,
  role: Role,
  plan: StagePlan,
  signal: AbortSignal | undefined,
  onLine: (line: string) => void,
): Promise<readonly string[]> {
  const { words, environment, directory, files } = plan;
  const outcome = await runCommand({
    words,
    environment,
    ...(directory !== undefined && { directory }),
    log: files.log,
    records: files.processes,
    silenceLimitMs: trainer.silenceLimit * 1000,
    ...(trainer.timeLimit !== undefined && { timeLimitMs: trainer.timeLimit * 1000 }),
    ...(now && { now }),
    ...(signal && { signal }),
    onLine,
  }).catch(async (error: unknown) => {
    await clear(files.output, files.cache);
    throw error;
  });
  await clear(files.cache);
  const { exit, limit } = outcome;
  const lastLines = outcome.lastLines.slice(-LAST_LINES);
  if (limit === undefined && exit.kind === "exited" && exit.exitCode === 0) return lastLines;
  // Cut off in the middle: of no use, and it may fill the disk.
  await clear(files.output);
  if (exit.kind === "not-started" && exit.code === "ENOENT") throw notFound(trainer.kind, plan);
  const full = lastLines.some((line) => DISK_FULL.test(line)) ? "; the disk is full" : "";
  throw failure(role, plan, `the command ${describe(outcome, trainer)}${full}`, { exit, limit }, lastLines);
}

function describe({ exit, limit }: CommandOutcome, trainer: CommandTrainerOptions["trainer"]): string {
  switch (limit) {
    case "silence":
      return `wrote nothing for ${trainer.silenceLimit} s (trainer.silenceLimit) and was ended`;
    case "time":
      return `took longer than ${trainer.timeLimit} s (trainer.timeLimit) and was ended`;
    case undefined:
      return describeExit(exit);
  }
}

function failure(
  role: Role,
  { words, files }: StagePlan,
  reason: string,
  fields: Record<string, unknown>,
  last: readonly string[],
  cause?: unknown,
): TrainerError {
  const lines = last.length === 0 ? ["(nothing)"] : last;
  return new TrainerError(
    `training the ${role} failed: ${reason}\n` +
      `command: ${joinWords(words)}\n` +
      `log: ${files.log}\nits last lines:\n${lines.map((line) => `  ${line}`).join("\n")}\n` +
      "What was finished before is kept; the same command of mucode tries this stage again.",
    { role, command: words, log: files.log, ...fields },
    { cause },
  );
}

function notFound(kind: string, { words, directory }: StagePlan): ConfigError {
  const place = directory === undefined ? "" : ` (or the directory ${directory} is missing)`;
  const fix = kind === "trl" ? "install TRL and say trainer.python, e.g. venv/bin/python" : "mend it or the PATH";
  return new ConfigError(`${words[0]} is no program that can be found${place}; ${fix}`, { command: words });
}

/** Nothing to learn from: the model stays, where it has the right form already. */
async function keepAsItIs(
  options: CommandTrainerOptions,
  role: Role,
  { from }: TrainingRequest,
  plan: StagePlan,
): Promise<void> {
  if (role === "verifier" && options.verifier.form === "head") {
    throw new TrainerError(
      "there is nothing to train the verifier on: no task has both a right and a wrong program that fit the model; " +
        "collect more rollouts (rollout.rolloutsPerTask) or take easier tasks",
      { role },
    );
  }
  try {
    await mkdir(plan.files.folder, { recursive: true });
    await cp(from.directory, plan.files.output, { recursive: true });
  } catch (error) {
    throw fileError("copying the model to", plan.files.output, error);
  }
}

/** Checks what the command wrote and moves it into place. */
async function takeOver(
  options: CommandTrainerOptions,
  role: Role,
  { from, to, signal }: TrainingRequest,
  plan: StagePlan,
  last: readonly string[],
  complete: (directory: string) => Promise<void>,
): Promise<void> {
  const { output, refused } = plan.files;
  const form = role === "verifier" && options.verifier.form === "head" ? "score" : "tokens";
  try {
    await acceptCheckpoint({ directory: output, from: from.directory, output: form, ...(signal && { signal }) });
    await complete(output);
    await rm(to.directory, { recursive: true, force: true });
    await rename(output, to.directory);
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (!(error instanceof UnusableFile)) throw fileError("taking over", output, error);
    await rename(output, refused).catch(() => undefined);
    const reason = `its result is not usable: ${error.message} (it is kept in ${refused})`;
    throw failure(role, plan, reason, { refused, problem: error.message }, last, error);
  }
}

async function clear(...paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    try {
      await rm(path, { recursive: true, force: true });
    } catch (error) {
      throw fileError("removing", path, error);
    }
  }
}
