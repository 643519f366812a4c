/** One model on held-out tasks: solve rates by every protocol, with intervals. */
import type { z } from "zod";
import { evalSchema, type EvalConfiguration } from "../config/eval-schema.ts";
import { resolveInput } from "../config/resolve.ts";
import { comparableConfiguration } from "../config/schema.ts";
import { ConfigError } from "../errors.ts";
import { solveRatesByTurn, type SolveRateByTurn } from "../evaluation/by-turn.ts";
import type { Comparison } from "../evaluation/comparison.ts";
import { compareGenerators } from "../evaluation/comparison.ts";
import { evaluateGenerator, type GeneratorEvaluation } from "../evaluation/evaluate-generator.ts";
import { createTaskGrader } from "../grading/task-grader.ts";
import { nearest } from "../nearest.ts";
import type { Usage } from "../openai/server.ts";
import type { ProgressReporter } from "../progress.ts";
import { silentProgress } from "../progress.ts";
import type { Failure } from "../rollout/collect.ts";
import type { SearchSettings } from "../search/best-of-n.ts";
import type { SelectionRule } from "../search/selection-rules.ts";
import { SELECTION_RULES, VERIFIER_RULES } from "../search/selection-rules.ts";
import { writeJsonAtomic } from "../store/atomic-write.ts";
import { openRunDirectory, type RunDirectory } from "../store/run-directory.ts";
import type { StageTotals } from "../store/stages.ts";
import { describePromptTemplate, type Fingerprint } from "../tasks/fingerprint.ts";
import { openSuite } from "../tasks/suites.ts";
import type { TaskSet } from "../tasks/task.ts";
import type { ModelDescription, ModelSource, VerifierDescription, VerifierSource } from "./model-source.ts";
import { chooseVerifier, openModelSource } from "./model-source.ts";
import {
  describeProgramRules,
  describeTaskSet,
  type ProgramRules,
  versions,
  type TaskSetDescription,
} from "./provenance.ts";
import { announceRun, graderChoice, sharedSignal, withGrader } from "./run-parts.ts";
import { readUsage, recordUsage, totalUsage, USAGE_LOG, withUsageNoted, type UsageRecord } from "./usage-log.ts";

export interface EvaluateOptions {
  /** Nested as in the schema; what is left out has its default. */
  readonly configuration?: z.input<typeof evalSchema>;
  readonly progress?: ProgressReporter;
  /** Stops cleanly; the same call resumes. */
  readonly signal?: AbortSignal;
}

/** What `report.json` holds. */
export interface EvaluateReport extends ProgramRules {
  readonly run: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly configuration: EvalConfiguration;
  readonly tasks: TaskSetDescription;
  readonly generator: ModelDescription;
  /** `null` without one: the rules that need it are left out. */
  readonly verifier: VerifierDescription | null;
  readonly prompt: Fingerprint;
  readonly sampling: SearchSettings & { readonly seed: number; readonly rules: readonly SelectionRule[] };
  readonly comparison: Comparison;
  /** The first turn of every rule is single-turn best-of-N. */
  readonly byTurn: readonly SolveRateByTurn[];
  /** Tasks that could not be evaluated, counted by what failed: they enter no rate. */
  readonly failures: { readonly byKind: Readonly<Record<string, number>>; readonly tasks: readonly Failure[] };
  /** Of the server, over all attempts at this run; `null` for a checkpoint. What is not known is `null`, never 0. */
  readonly usage: Usage | null;
  readonly time: StageTotals;
}

/** @throws ConfigError for what the user can mend; InfrastructureError where the run itself failed. */
export async function evaluate(options: EvaluateOptions): Promise<EvaluateReport> {
  const { progress = silentProgress } = options;
  const signal = sharedSignal(options.signal);
  const given = resolveInput(evalSchema, options.configuration ?? {});
  const { name, data, split, limit, seed, showPublicTests } = given.suite;
  const suite = openSuite({ name, ...(data !== undefined && { dataDirectory: data }) });
  const rules = chooseRules(given.rules, given.verifier !== undefined);
  const taskSet = await suite.load({ split, limit, seed });
  const source = await openModelSource({
    choice: given,
    spent: totalUsage(await readUsage(given.out)),
    log: (line) => progress.log(line),
  });
  try {
    const verifier =
      given.verifier === undefined ? null : await chooseVerifier(given.verifier, { source, threads: given.threads });
    const settings: SearchSettings = {
      ...given.evaluation,
      maxTokens: given.evaluation.maxTokens ?? source.maxTokens,
      showPublicTests,
      template: source.template,
    };
    const subject: Subject = {
      taskSet,
      source,
      verifier,
      settings,
      rules,
      configuration: withoutCredentials(given, source),
      prompt: await describePromptTemplate(source.template),
      programRules: await describeProgramRules(),
    };
    const run = await openRunDirectory({ directory: given.out, configuration: decisive(subject), versions });
    try {
      announceRun(run, progress);
      return await evaluateIn(run, subject, progress, signal);
    } finally {
      await run.close();
    }
  } finally {
    await source.close();
  }
}

/** What is evaluated, and how. */
interface Subject {
  readonly configuration: EvalConfiguration;
  readonly taskSet: TaskSet;
  readonly source: ModelSource;
  readonly verifier: VerifierSource | null;
  readonly settings: SearchSettings;
  readonly rules: readonly SelectionRule[];
  readonly prompt: Fingerprint;
  readonly programRules: ProgramRules;
}

/**
 * Everything that decides the results, for `run.json`. Where the server is, how patiently it is asked and what it may
 * cost are left out: the same run may go on from another address or under a higher limit.
 */
function decisive(subject: Subject): Record<string, unknown> {
  const { configuration, taskSet, source, verifier, settings, rules, prompt, programRules } = subject;
  const { checkpoint: _checkpoint, server: _server, prompt: _prompt, ...rest } = configuration;
  return {
    ...comparableConfiguration(rest),
    evaluation: settings,
    rules: rules.join(","),
    generator: source.identity,
    verifier: verifier?.description ?? null,
    prompt,
    ...programRules,
    tasksHash: taskSet.hash,
  };
}

async function evaluateIn(
  run: RunDirectory,
  subject: Subject,
  progress: ProgressReporter,
  signal: AbortSignal | undefined,
): Promise<EvaluateReport> {
  const { configuration, taskSet, source, settings, rules } = subject;
  const usageLog = source.server && (await run.openRecords<UsageRecord>(USAGE_LOG));
  const usage = usageLog && recordUsage(usageLog, () => source.usage());
  const verifier = await subject.verifier?.open();
  let evaluation: GeneratorEvaluation;
  try {
    evaluation = await withGrader(graderChoice(configuration, [taskSet], progress), (grader) =>
      evaluateGenerator(
        {
          name: "generator",
          tasks: taskSet.tasks,
          settings,
          rules,
          seed: configuration.seed,
          ...(source.concurrency !== null && { concurrency: source.concurrency }),
        },
        {
          openGenerator: async () => withUsageNoted(await source.openGenerator(), () => usage?.note()),
          grader: createTaskGrader({ grader, privateTests: taskSet.privateTests }),
          store: run,
          progress,
          ...(verifier && { verifier }),
          ...(signal && { signal }),
        },
      ),
    );
  } finally {
    usage?.finish();
    await verifier?.close();
  }
  const report: EvaluateReport = {
    run: run.directory,
    versions,
    configuration,
    tasks: describeTaskSet(taskSet),
    generator: source.describe(),
    verifier: subject.verifier?.description ?? null,
    prompt: subject.prompt,
    ...subject.programRules,
    sampling: { ...settings, seed: configuration.seed, rules },
    comparison: compareGenerators({
      taskIds: taskSet.tasks.map((task) => task.id),
      generators: [evaluation],
      pairs: [],
      seed: configuration.seed,
    }),
    byTurn: solveRatesByTurn(evaluation, { turns: settings.turns, seed: configuration.seed }),
    failures: { byKind: countByKind(evaluation.failures), tasks: evaluation.failures },
    usage: usageLog && totalUsage(usageLog.records),
    time: await run.totals(),
  };
  await writeJsonAtomic(run.path("report.json"), report);
  return report;
}

/** `all`, or names separated by commas. @throws ConfigError for an unknown name, or one whose verifier is missing. */
function chooseRules(text: string, hasVerifier: boolean): SelectionRule[] {
  const known = Object.keys(SELECTION_RULES) as SelectionRule[];
  const possible = known.filter((rule) => hasVerifier || !VERIFIER_RULES.includes(rule));
  if (text.trim() === "all") return possible;
  const named = text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  for (const name of named) {
    const rule = known.find((one) => one === name);
    if (rule === undefined) {
      const guess = nearest(name, known);
      throw new ConfigError(
        `--rules: ${name} is not one of ${known.join(", ")}` + (guess === undefined ? "" : ` (did you mean ${guess}?)`),
        { key: "rules", name },
      );
    }
    if (!possible.includes(rule)) {
      throw new ConfigError(
        `--rules: ${name} needs a verifier: give --verifier CHECKPOINT, or --verifier served for a served model`,
        { key: "rules", name },
      );
    }
  }
  const rules = known.filter((rule) => named.includes(rule));
  if (rules.length === 0) throw new ConfigError("--rules names no rule", { key: "rules" });
  return rules;
}

/** An address may hold a password; what the server's client makes of it does not. */
function withoutCredentials(configuration: EvalConfiguration, source: ModelSource): EvalConfiguration {
  const { server } = configuration;
  if (server.baseUrl === undefined || source.server === null) return configuration;
  return { ...configuration, server: { ...server, baseUrl: source.server.description.baseUrl } };
}

function countByKind(failures: readonly Failure[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kind } of failures) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}
