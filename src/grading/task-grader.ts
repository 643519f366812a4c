/** The two views of grading a task: public tests with feedback for solvers, the outcome over all tests for judges of solvers. */
import { SuiteError } from "../errors.ts";
import type { PrivateTests, Task, Test } from "../tasks/task.ts";
import { buildFeedback } from "./feedback.ts";
import type { Grade, Grader, GradeRequest, OutcomeGrader } from "./grade.ts";

export interface TaskGraderOptions {
  readonly grader: Grader;
  /** Without it there are no outcomes: `outcome` rejects with a TypeError. */
  readonly privateTests?: PrivateTests;
}

/** What a task says of how its programs are run, as part of a request. */
export function gradingSettings({
  language,
  entryPoint,
  preamble,
  setupCode,
  timeLimit,
  goldProgram,
}: Task): Pick<GradeRequest, "language" | "entryPoint" | "preamble" | "setupCode" | "timeLimit" | "goldProgram"> {
  return {
    language,
    ...(entryPoint !== undefined && { entryPoint }),
    ...(preamble !== undefined && { preamble }),
    ...(setupCode !== undefined && { setupCode }),
    ...(timeLimit !== undefined && { timeLimit }),
    ...(goldProgram !== undefined && { goldProgram }),
  };
}

/**
 * Grades a program by a task's public tests and then the given private ones.
 * @throws SuiteError naming task and test, where one cannot be used. @throws SandboxError
 */
export async function gradeByTask(
  grader: Grader,
  { task, privateTests, program }: ProgramOfTask,
  signal?: AbortSignal,
): Promise<Grade> {
  const tests: readonly Test[] = [...task.publicTests, ...privateTests];
  try {
    return await grader.grade({ ...gradingSettings(task), program, tests }, signal);
  } catch (error) {
    if (!(error instanceof SuiteError)) throw error;
    const place = nameOfTest(error.fields["test"], task, privateTests);
    const fields = { ...error.fields, taskId: task.id };
    throw new SuiteError(`task ${task.id}${place}: ${error.message}`, fields, { cause: error });
  }
}

export interface ProgramOfTask {
  readonly task: Task;
  readonly privateTests: readonly Test[];
  readonly program: string | null;
}

/** Which of a task's tests has this source, counted from 1; nothing where none has. */
function nameOfTest(source: unknown, { publicTests }: Task, privateTests: readonly Test[]): string {
  const has = (test: Test): boolean => "source" in test && test.source === source;
  const [inPublic, inPrivate] = [publicTests.findIndex(has), privateTests.findIndex(has)];
  if (inPublic >= 0) return `, public test ${inPublic + 1}`;
  return inPrivate >= 0 ? `, private test ${inPrivate + 1}` : "";
}

/**
 * A task's public and private tests go to the grader as one request, public ones first, so that both views of the same
 * program cost one run. A result of a public test never depends on a private one (see `grade-program.ts`), and feedback
 * is built from public tests alone.
 */
export function createTaskGrader({ grader, privateTests }: TaskGraderOptions): OutcomeGrader {
  function gradeAll(task: Task, program: string | null, signal?: AbortSignal): Promise<Grade> {
    return gradeByTask(grader, { task, privateTests: privateTests?.of(task.id) ?? [], program }, signal);
  }
  return {
    async gradePublic(task, program, signal) {
      if (task.publicTests.length === 0) throw new RangeError(`Task ${task.id} has no public tests`);
      const all = await gradeAll(task, program, signal);
      const tests = all.tests.slice(0, task.publicTests.length);
      const verdict = tests.find((test) => test.verdict !== "passed")?.verdict ?? "passed";
      const grade = { verdict, tests };
      return { ...grade, feedback: buildFeedback(task.publicTests, grade) };
    },
    async outcome(task, program, signal) {
      if (!privateTests) throw new TypeError("Outcomes need private tests, and this grader was made without them");
      const { verdict } = await gradeAll(task, program, signal);
      return verdict === "passed";
    },
  };
}
