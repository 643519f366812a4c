/** Verdicts, and the contract of whoever gives them. */
import type { Language, Task, Test } from "../tasks/task.ts";

export type Verdict = "passed" | "failed" | "error" | "timed-out" | "out-of-memory" | "no-program";

export interface TestResult {
  readonly verdict: Verdict;
  /** Capped repr of the value obtained, where the test compares one; of a stdin test what was printed. */
  readonly obtained?: string;
  /** Capped repr of the value expected, where neither the test nor the statement shows it. */
  readonly expected?: string;
  /** Last line of the traceback (`TypeError: …`), where something was raised. */
  readonly exception?: string;
  /** The program's own lines of the traceback, capped, free of harness frames. */
  readonly traceback?: string;
  /** The statement that failed, where the test consists of more than one. */
  readonly statement?: string;
}

/**
 * `tests[i]` belongs to the i-th test given. What stopped the program (time, memory) in one test counts for the later ones
 * of its kind too. The overall verdict is the first that is not `passed`.
 */
export interface Grade {
  readonly verdict: Verdict;
  readonly tests: readonly TestResult[];
}

/** What a solver may know about its program: public tests only. */
export interface PublicGrade extends Grade {
  /** Text for the next turn; empty when every public test passed. */
  readonly feedback: string;
}

export interface GradeRequest {
  /** `null` when no program could be extracted. */
  readonly program: string | null;
  /** Default `python`. */
  readonly language?: Language;
  /** Name that the tests call; decides what of the program must not raise (`docs/grading.md`). */
  readonly entryPoint?: string;
  /** Runs before the program, in its namespace. */
  readonly preamble?: string;
  /** Runs after the program and before the tests; not where a test runs the program as a whole. */
  readonly setupCode?: string;
  /** Seconds of CPU time of a run with little to do, in the place of the grader's usual limit. */
  readonly timeLimit?: number;
  /**
   * A right program for the same tests. Where a program runs out of time, the limit is taken from this one's own time, if
   * that gives more than the usual limit, and the program runs once more.
   */
  readonly goldProgram?: string;
  /** At least one. */
  readonly tests: readonly Test[];
}

/** Grades programs. Identical requests share one run. */
export interface Grader {
  /** @throws RangeError for an empty test list (never a pass). @throws SandboxError when it could not be graded. */
  grade(request: GradeRequest, signal?: AbortSignal): Promise<Grade>;
  close(): Promise<void>;
}

/** The view of grading that rollouts and search have: no private test can be reached through it. */
export interface PublicGrader {
  gradePublic(task: Task, program: string | null, signal?: AbortSignal): Promise<PublicGrade>;
}

/** The view that evaluation and training have, beside the public one. */
export interface OutcomeGrader extends PublicGrader {
  /** Whether the program passes all tests, public and private. */
  outcome(task: Task, program: string | null, signal?: AbortSignal): Promise<boolean>;
}
