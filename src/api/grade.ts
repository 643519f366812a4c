/**
 * Recorded samples in, verdicts and pass@k out. Results are appended in the order of the samples, so that a file of
 * results always covers the first so many of them, and the next call goes on from there.
 */
import { mapInOrder } from "../concurrency.ts";
import { ConfigError, InfrastructureError, SandboxError, StoreError } from "../errors.ts";
import { summarizeSamples, type GradedSample, type SampleSummary } from "../evaluation/sample-summary.ts";
import type { Grade, Grader, TestResult, Verdict } from "../grading/grade.ts";
import { gradeByTask } from "../grading/task-grader.ts";
import { silentProgress, type ProgressReporter, type ProgressStage } from "../progress.ts";
import { programOfSample } from "../tasks/sample.ts";
import { openSuite } from "../tasks/suites.ts";
import type { TaskSet } from "../tasks/task.ts";
import {
  describeProgramRules,
  describeTaskSet,
  type ProgramRules,
  versions,
  type TaskSetDescription,
} from "./provenance.ts";
import { openResults, type Results } from "./results.ts";
import { graderChoice, sharedSignal, withGrader, type GraderChoice } from "./run-parts.ts";
import { allTaskIds, checkSampleFile, readSamples, type Sample } from "./samples.ts";

export interface GradeSamplesOptions {
  /** JSON Lines, plain or gzipped: `{"task_id", "completion"}` or `{"task_id", "solution"}`. */
  readonly samples: string;
  readonly suite: string;
  /** Directory of the suite's files, for suites that are read from files. */
  readonly data?: string;
  /** Default `test`. */
  readonly split?: string;
  /** At most this many tasks, from the first; suites without end (mubpp) need it. */
  readonly limit?: number;
  /** Default `auto`: see {@link GraderChoice}. */
  readonly sandbox?: GraderChoice["sandbox"];
  /** Seconds of CPU time for a run of a program, in the place of the tasks' own limits. */
  readonly timeLimit?: number;
  /** Programs run at the same time. Default: one per core. */
  readonly workers?: number;
  /** Every completion is cut where the first of these strings begins. Default: none is. */
  readonly stop?: readonly string[];
  /** For which k pass@k is estimated. Default 1, 10 and 100. */
  readonly ks?: readonly number[];
  /** Default: the samples' file, ending in `.results.jsonl`. */
  readonly out?: string;
  readonly progress?: ProgressReporter;
  /** Stops cleanly; the same call resumes. */
  readonly signal?: AbortSignal;
}

/** One line of the results, in the order of the samples. */
export interface SampleResult {
  /** From 0, blank lines not counted. */
  readonly sampleIndex: number;
  /** Line in the file of samples, from 1. */
  readonly line: number;
  /** As the suite spells it. */
  readonly taskId: string;
  readonly form: Sample["form"];
  /** What was run; `null` where the text holds no program. */
  readonly program: string | null;
  /** `ungradable`: the infrastructure failed, which says nothing about the program. */
  readonly verdict: Verdict | "ungradable";
  /** Whether every test passed, public and private; `null` where that is not known. */
  readonly passed: boolean | null;
  /** By test, in the suite's order; empty where it is not known. */
  readonly publicTests: readonly Verdict[];
  readonly privateTests: readonly Verdict[];
  readonly firstFailure?: FirstFailure;
  /** What failed, where the sample is ungradable. */
  readonly reason?: string;
  /** The sample's text, unchanged. */
  readonly text: string;
}

/** What happened at the first test that did not pass. */
export interface FirstFailure extends Pick<TestResult, "exception" | "obtained" | "statement"> {
  readonly tests: "public" | "private";
  /** Among those, from 0. */
  readonly testIndex: number;
}

export interface GradeSamplesReport extends SampleSummary, ProgramRules {
  readonly samplesFile: string;
  /** The lines of {@link SampleResult}. */
  readonly results: string;
  readonly taskSet: TaskSetDescription;
  readonly notes: readonly string[];
  /** Of the ungradable samples, those of tasks that nothing here can grade: trying again is useless. */
  readonly notGradable: number;
  /** What ran the programs, with its version. */
  readonly sandbox: string;
  /** Seconds, where it was given in the place of the tasks' own limits. */
  readonly timeLimit?: number;
  readonly versions: Readonly<Record<string, string>>;
}

/** Samples begun and not yet written, for each that runs: enough that a slow one holds up nobody. */
const WINDOW = 16;

/**
 * Grades a file of samples. A call with the same file, suite and sandbox goes on where an earlier one stopped, and tries
 * again what was ungradable then.
 * @throws ConfigError before anything is graded: unreadable lines, unknown tasks, results of something else.
 * @throws InfrastructureError when so much cannot be graded that something must be down; what was graded is kept.
 */
export async function gradeSamples(options: GradeSamplesOptions): Promise<GradeSamplesReport> {
  const { samples: samplesFile, progress = silentProgress, ks = [1, 10, 100], data, sandbox, workers } = options;
  const timeLimit = options.timeLimit === undefined ? {} : { timeLimit: options.timeLimit };
  const signal = sharedSignal(options.signal);
  const file = options.out ?? resultsFileOf(samplesFile);
  if (file === samplesFile) throw new ConfigError(`--out ${file} would overwrite the samples`, { file });
  const suite = openSuite({ name: options.suite, ...(data !== undefined && { dataDirectory: data }) });
  const { split = "test", limit, stop = [] } = options;
  const taskSet = await suite.load({ split, ...(limit !== undefined && { limit }) });
  const description = await checkSampleFile(samplesFile, taskSet);
  const choice: GraderChoice = {
    ...graderChoice({ ...(sandbox !== undefined && { sandbox }), ...timeLimit }, [taskSet], progress),
    ...(workers !== undefined && { workers }),
  };
  return withGrader(choice, async (grader, concurrency, sandboxVersion) => {
    const tasks = describeTaskSet(taskSet);
    const rules = await describeProgramRules();
    const results = await openResults<SampleResult>({
      file,
      configuration: {
        samples: { sha256: description.sha256 },
        tasks,
        sandbox: sandboxVersion,
        ...timeLimit,
        ...rules,
        ...(stop.length > 0 && { stop }),
      },
      versions,
    });
    try {
      const run = new GradingRun({ grader, taskSet, results, total: description.samples, progress, stop, signal });
      const graded = await run.gradeAll(samplesFile, concurrency * WINDOW);
      const summary = summarizeSamples({ taskIds: allTaskIds(taskSet), samples: graded, ks });
      const report: GradeSamplesReport = {
        samplesFile,
        results: file,
        taskSet: tasks,
        notes: taskSet.notes ?? [],
        notGradable: graded.filter(({ taskId }) => isNotGradable(taskSet, taskId)).length,
        sandbox: sandboxVersion,
        ...timeLimit,
        ...rules,
        versions,
        ...summary,
      };
      await results.finish(report);
      return report;
    } finally {
      await results.close();
    }
  });
}

/** `samples.results.jsonl` of `samples.jsonl` and of `samples.jsonl.gz`. */
export function resultsFileOf(samplesFile: string): string {
  return `${samplesFile.replace(/\.gz$/, "").replace(/\.(?:jsonl|json|ndjson)$/, "")}.results.jsonl`;
}

interface GradingRunParts {
  readonly grader: Grader;
  readonly taskSet: TaskSet;
  readonly results: Results<SampleResult>;
  /** Samples in all. */
  readonly total: number;
  readonly progress: ProgressReporter;
  readonly stop: readonly string[];
  readonly signal: AbortSignal | undefined;
}

/** One call's work on a file of samples. */
class GradingRun {
  readonly #parts: GradingRunParts;
  #attempted = 0;
  #failed = 0;
  #passed = 0;

  constructor(parts: GradingRunParts) {
    this.#parts = parts;
  }

  /** What the summary needs of every sample, those of earlier calls included. */
  async gradeAll(samplesFile: string, window: number): Promise<GradedSample[]> {
    const { results, taskSet, total, progress } = this.#parts;
    const graded: GradedSample[] = await results.read(({ taskId, verdict }) => ({ taskId, verdict }));
    if (graded.length > total) {
      throw new StoreError(`the results hold ${graded.length} lines for ${total} samples; delete them to start over`);
    }
    const earlier = graded.length;
    const again = new Set(graded.flatMap(({ verdict }, index) => (verdict === "ungradable" ? [index] : [])));
    this.#passed = graded.filter(({ verdict }) => verdict === "passed").length;
    const stage = progress.stage("grading", { total, unit: "samples", alreadyDone: earlier - again.size });
    if (again.size > 0) {
      const replaced = new Map<number, SampleResult>();
      const samples = choose(readSamples(samplesFile, taskSet), ({ sampleIndex }) => again.has(sampleIndex));
      for await (const result of this.#grade(samples, window, stage)) {
        replaced.set(result.sampleIndex, result);
        graded[result.sampleIndex] = { taskId: result.taskId, verdict: result.verdict };
      }
      await results.replace(replaced);
    }
    const rest = choose(readSamples(samplesFile, taskSet), ({ sampleIndex }) => sampleIndex >= earlier);
    for await (const result of this.#grade(rest, window, stage)) {
      results.append(result);
      graded.push({ taskId: result.taskId, verdict: result.verdict });
    }
    stage.finish();
    return graded;
  }

  async *#grade(samples: AsyncIterable<Sample>, window: number, stage: ProgressStage): AsyncGenerator<SampleResult> {
    const { signal, taskSet } = this.#parts;
    const options = { window, ...(signal && { signal }) };
    for await (const result of mapInOrder(samples, options, (sample) => this.#gradeOne(sample))) {
      yield result;
      this.#attempted++;
      if (result.passed) this.#passed++;
      stage.advance(1, { note: `${this.#passed} passed` });
      if (result.verdict === "ungradable" && !isNotGradable(taskSet, result.taskId)) this.#failed++;
      if (this.#failed > Math.max(10, this.#attempted / 5)) {
        throw new InfrastructureError(
          `${this.#failed} of ${this.#attempted} samples could not be graded, the last one: ${result.reason}`,
        );
      }
    }
  }

  async #gradeOne(sample: Sample): Promise<SampleResult> {
    const { grader, taskSet, stop, signal } = this.#parts;
    const { task } = sample;
    const program = programOfSample(task, sample, stop);
    if (sample.notGradable !== undefined) return ungradable(sample, program, sample.notGradable);
    const privateTests = taskSet.privateTests.of(task.id);
    try {
      const grade = await gradeByTask(grader, { task, privateTests, program }, signal);
      return resultOf(sample, program, grade);
    } catch (error) {
      if (!(error instanceof SandboxError)) throw error;
      return ungradable(sample, program, error.message);
    }
  }
}

async function* choose<T>(items: AsyncIterable<T>, wanted: (item: T) => boolean): AsyncGenerator<T> {
  for await (const item of items) if (wanted(item)) yield item;
}

function isNotGradable({ notGradable = [] }: TaskSet, taskId: string): boolean {
  return notGradable.some(({ task }) => task.id === taskId);
}

function ungradable(sample: Sample, program: string | null, reason: string): SampleResult {
  const unknown = { verdict: "ungradable", passed: null, publicTests: [], privateTests: [] } as const;
  return { ...identityOf(sample), program, ...unknown, reason, text: sample.text };
}

function identityOf({
  sampleIndex,
  line,
  task,
  form,
}: Sample): Pick<SampleResult, "sampleIndex" | "line" | "taskId" | "form"> {
  return { sampleIndex, line, taskId: task.id, form };
}

function resultOf(sample: Sample, program: string | null, grade: Grade): SampleResult {
  const publicCount = sample.task.publicTests.length;
  const verdicts = grade.tests.map(({ verdict }) => verdict);
  const failure = verdicts.findIndex((verdict) => verdict !== "passed");
  return {
    ...identityOf(sample),
    program,
    verdict: grade.verdict,
    passed: grade.verdict === "passed",
    publicTests: verdicts.slice(0, publicCount),
    privateTests: verdicts.slice(publicCount),
    ...(failure >= 0 && { firstFailure: firstFailure(grade.tests[failure] as TestResult, failure, publicCount) }),
    text: sample.text,
  };
}

function firstFailure(result: TestResult, index: number, publicCount: number): FirstFailure {
  const { exception, obtained, statement } = result;
  return {
    ...(index < publicCount
      ? { tests: "public", testIndex: index }
      : { tests: "private", testIndex: index - publicCount }),
    ...(exception !== undefined && { exception }),
    ...(obtained !== undefined && { obtained }),
    ...(statement !== undefined && { statement }),
  };
}
