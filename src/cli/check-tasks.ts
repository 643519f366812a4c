/**
 * Runs the programs that a task set says are right, and those it says are wrong, through the grader: data and grader are
 * in order when the first pass and the others do not. Where there is no wrong program an empty one stands in its place,
 * so that every test is read, and one that checks nothing is found.
 */
import { mapConcurrently } from "../concurrency.ts";
import { SuiteError } from "../errors.ts";
import type { Grade, Grader, Verdict } from "../grading/grade.ts";
import { gradeByTask } from "../grading/task-grader.ts";
import type { Task, TaskSet, Test } from "../tasks/task.ts";
import { describeTest } from "../tasks/test-text.ts";

export interface CheckTasksOptions {
  readonly taskSet: TaskSet;
  readonly grader: Grader;
  /** Programs graded at the same time. */
  readonly concurrency: number;
  readonly signal?: AbortSignal;
  /** Called after each task. */
  readonly onChecked?: (task: Task) => void;
}

/** A gold program that does not pass. */
export interface GoldFailure {
  readonly taskId: string;
  /** `ungradable`: the grader cannot use one of the task's tests. */
  readonly verdict: Verdict | "ungradable";
  /** Text of the first test that did not pass; absent where none was graded. */
  readonly test?: string;
  /** What happened there: the exception or the value obtained, where there is one. */
  readonly reason?: string;
  /** Why that is known and no surprise; without it the failure is unexplained. */
  readonly knownProblem?: string;
}

export interface CheckReport {
  readonly gold: { readonly total: number; readonly failures: readonly GoldFailure[] };
  /** Known wrong programs; `passing`: tasks whose wrong program passes every test. */
  readonly wrong: { readonly total: number; readonly passing: readonly string[] };
  /** Tasks whose gold program passes although it is known to fail. */
  readonly mended: readonly string[];
  /** Tasks whose tests an empty program passes: they check nothing. */
  readonly vacuous: readonly string[];
  /** Tasks without a gold program whose preamble or tests cannot be used. */
  readonly unusable: readonly { readonly taskId: string; readonly reason: string }[];
  /** What could not be checked: tasks without a gold program, without a wrong one, without either. */
  readonly unchecked: { readonly gold: number; readonly wrong: number; readonly both: number };
}

/** Whether something is not as it should be and nobody knows why. */
export function hasUnexplained({ gold, wrong, vacuous, unusable }: CheckReport): boolean {
  const found = wrong.passing.length + vacuous.length + unusable.length;
  return found > 0 || gold.failures.some(({ knownProblem }) => knownProblem === undefined);
}

/** Grades against public and private tests. @throws SandboxError when a program could not be graded. */
export async function checkTasks(options: CheckTasksOptions): Promise<CheckReport> {
  const { taskSet, grader, concurrency, signal, onChecked } = options;
  const { tasks } = taskSet;
  const limits = { limit: concurrency, ...(signal && { signal }) };
  const results = await mapConcurrently(tasks, limits, async (task) => {
    const privateTests = taskSet.privateTests.of(task.id);
    const tests = [...task.publicTests, ...privateTests];
    const grade = (program: string): Promise<Grade | SuiteError> =>
      gradeByTask(grader, { task, privateTests, program }, signal).catch(orSuiteError);
    const gold = task.goldProgram === undefined ? undefined : await grade(task.goldProgram);
    const wrong = task.wrongProgram === undefined ? undefined : await grade(task.wrongProgram);
    const empty = task.wrongProgram === undefined ? await grade("") : undefined;
    onChecked?.(task);
    return { task, tests, gold, wrong, empty };
  });
  const golds = results.flatMap(({ task, tests, gold }) => (gold === undefined ? [] : [{ task, tests, grade: gold }]));
  const wrongs = results.filter(({ wrong }) => wrong !== undefined);
  const passed = golds.filter(({ grade }) => passes(grade));
  return {
    gold: {
      total: golds.length,
      failures: golds.filter(({ grade }) => !passes(grade)).map(describeFailure),
    },
    wrong: {
      total: wrongs.length,
      passing: wrongs.filter(({ wrong }) => passes(wrong)).map(({ task }) => task.id),
    },
    mended: passed.filter(({ task }) => task.goldProblem !== undefined).map(({ task }) => task.id),
    vacuous: results.filter(({ empty }) => passes(empty)).map(({ task }) => task.id),
    unusable: results.flatMap(({ task, gold, wrong, empty }) => {
      const problem = [wrong, empty].find((grade) => grade instanceof SuiteError);
      return gold === undefined && problem instanceof SuiteError
        ? [{ taskId: task.id, reason: reasonOf(problem) }]
        : [];
    }),
    unchecked: {
      gold: results.filter(({ gold }) => gold === undefined).length,
      wrong: results.filter(({ wrong }) => wrong === undefined).length,
      both: results.filter(({ gold, wrong }) => gold === undefined && wrong === undefined).length,
    },
  };
}

/** Without the name of the task, which stands before it. */
function reasonOf({ message, fields }: SuiteError): string {
  const start = `task ${String(fields["taskId"])}`;
  return message.startsWith(start) ? message.slice(start.length).replace(/^[,:] /, "") : message;
}

interface GradedGold {
  readonly task: Task;
  readonly tests: readonly Test[];
  readonly grade: Grade | SuiteError;
}

function passes(grade: Grade | SuiteError | undefined): boolean {
  return grade !== undefined && "verdict" in grade && grade.verdict === "passed";
}

/** A test that cannot be used is a finding about its task; every other error ends the check. */
function orSuiteError(error: unknown): SuiteError {
  if (error instanceof SuiteError) return error;
  throw error;
}

function describeFailure({ task, tests, grade }: GradedGold): GoldFailure {
  const known = task.goldProblem === undefined ? {} : { knownProblem: task.goldProblem };
  if (grade instanceof SuiteError) return { taskId: task.id, verdict: "ungradable", reason: reasonOf(grade), ...known };
  const index = grade.tests.findIndex(({ verdict }) => verdict !== "passed");
  const result = grade.tests[index];
  const obtained = result?.obtained === undefined ? undefined : `got ${result.obtained}`;
  const reason = result?.exception ?? obtained;
  return {
    taskId: task.id,
    verdict: grade.verdict,
    test: result?.statement ?? describeTest(tests[index] as Test),
    ...(reason !== undefined && { reason }),
    ...known,
  };
}
