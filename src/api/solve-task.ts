/** `solve` with everything it needs opened as a configuration says, and closed afterwards. */
import type { z } from "zod";
import { resolveInput } from "../config/resolve.ts";
import { solveSchema } from "../config/solve-schema.ts";
import { ConfigError } from "../errors.ts";
import type { Grader } from "../grading/grade.ts";
import { createTaskGrader } from "../grading/task-grader.ts";
import type { Usage } from "../openai/server.ts";
import type { SearchSettings } from "../search/best-of-n.ts";
import type { SearchEvent } from "../search/events.ts";
import { VERIFIER_RULES } from "../search/selection-rules.ts";
import { describePromptTemplate, type Fingerprint } from "../tasks/fingerprint.ts";
import { describeProgramRules, type ProgramRules } from "./provenance.ts";
import type { Task, Test } from "../tasks/task.ts";
import type { ModelDescription, ModelSource, VerifierDescription } from "./model-source.ts";
import { chooseVerifier, openModelSource } from "./model-source.ts";
import { sharedSignal, withGrader } from "./run-parts.ts";
import { solve, type SolveResult, type SolveRule } from "./solve.ts";

export interface SolveTaskOptions {
  readonly task: Task;
  /** Given to say at the end whether the program passes them too; the search never sees them. */
  readonly privateTests?: readonly Test[];
  /** Nested as in the schema; what is left out has its default. */
  readonly configuration?: z.input<typeof solveSchema>;
  /** Told which rule and model are used before the search begins. */
  readonly onStart?: (start: SolveStart) => void;
  readonly onEvent?: (event: SearchEvent) => void;
  readonly log?: (line: string) => void;
  readonly signal?: AbortSignal;
}

export interface SolveStart {
  readonly rule: SolveRule;
  readonly generator: ModelDescription;
  readonly verifier: VerifierDescription | null;
  readonly sampling: SearchSettings & { readonly seed: number };
}

export interface SolveReport extends SolveResult, SolveStart, ProgramRules {
  readonly prompt: Fingerprint;
  /** Whether the program passes the private tests as well; `null` where none were given. */
  readonly passesPrivateTests: boolean | null;
  /** Of the server; `null` for a checkpoint. What is not known is `null`, never 0. */
  readonly usage: Usage | null;
}

/** @throws ConfigError for what the user can mend; InfrastructureError where the search itself failed. */
export async function solveTask(options: SolveTaskOptions): Promise<SolveReport> {
  const { task, log, onEvent = () => undefined } = options;
  const configuration = resolveInput(solveSchema, options.configuration ?? {});
  const signal = sharedSignal(options.signal);
  const rule = chooseRule(configuration.search.select, configuration.verifier !== undefined);
  const source = await openModelSource({ choice: configuration, ...(log && { log }) });
  try {
    const chosen =
      configuration.verifier === undefined
        ? null
        : await chooseVerifier(configuration.verifier, { source, threads: configuration.threads });
    const { select: _select, maxTokens = source.maxTokens, ...search } = configuration.search;
    const settings: SearchSettings = { ...search, maxTokens, template: source.template };
    const start: SolveStart = {
      rule,
      generator: source.describe(),
      verifier: chosen?.description ?? null,
      sampling: { ...settings, seed: configuration.seed },
    };
    const choice = {
      sandbox: configuration.sandbox,
      timeLimit: configuration.timeLimit,
      languages: [task.language],
      onChoice: (text: string) => log?.(text),
    };
    return await withGrader(choice, async (grader) => {
      const generator = await source.openGenerator();
      // Only a rule that ranks by scores asks for any.
      const verifier = VERIFIER_RULES.includes(rule) ? await chosen?.open() : undefined;
      try {
        options.onStart?.(start);
        const searching = solve(
          task,
          { generator, grader, ...(verifier && { verifier }) },
          { ...settings, rule, seed: configuration.seed, ...(signal && { signal }) },
        );
        for await (const event of searching) onEvent(event);
        const result = await searching;
        const passesPrivateTests = await checkPrivateTests(result, options, grader);
        return { ...result, ...start, ...(await describe(source)), passesPrivateTests, usage: source.usage() };
      } finally {
        await verifier?.close();
        await generator.close();
      }
    });
  } finally {
    await source.close();
  }
}

function chooseRule(named: SolveRule | undefined, hasVerifier: boolean): SolveRule {
  if (named === undefined) return hasVerifier ? "public-tests-then-verifier" : "public-tests";
  if (VERIFIER_RULES.includes(named) && !hasVerifier) {
    throw new ConfigError(
      `--select ${named} needs a verifier: give --verifier served (the served model judges by its log-probabilities) ` +
        `or --verifier CHECKPOINT, or select by public-tests`,
      { key: "search.select", named },
    );
  }
  return named;
}

/** What is found out about a server only while it answers is described last. */
async function describe(source: ModelSource): Promise<Pick<SolveReport, "generator" | "prompt" | keyof ProgramRules>> {
  return {
    generator: source.describe(),
    prompt: await describePromptTemplate(source.template),
    ...(await describeProgramRules()),
  };
}

async function checkPrivateTests(
  { program }: SolveResult,
  { task, privateTests, signal }: SolveTaskOptions,
  grader: Grader,
): Promise<boolean | null> {
  if (privateTests === undefined || privateTests.length === 0) return null;
  return createTaskGrader({ grader, privateTests: { of: () => privateTests } }).outcome(task, program, signal);
}
