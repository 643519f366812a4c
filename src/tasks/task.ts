/** What a task is, and where its private tests are kept. */

/** One test of a task. Python source that raises unless the program is right. */
export interface Test {
  /**
   * `assert`: one or more Python statements run after the program and the task's setup code; passing means that no
   * exception is raised. Usually `assert CALL == LITERAL`; HumanEval's is a `check` function and its call.
   */
  readonly kind: "assert";
  readonly source: string;
}

/** A programming task as a solver may see it. Private tests are deliberately not a field: see {@link PrivateTests}. */
export interface Task {
  /** Unique within its suite, e.g. `mubpp/test/17`, `mbpp/601`, `HumanEval/0`. */
  readonly id: string;
  /** The problem in words (HumanEval: signature and docstring). */
  readonly prompt: string;
  readonly language: "python";
  /** Name of the function that the tests call. */
  readonly entryPoint?: string;
  /** At least one. The solver may run them and read the result. */
  readonly publicTests: readonly Test[];
  /** Python run after the program and before the tests (MBPP's `test_setup_code`). */
  readonly setupCode?: string;
  /** CPU time that a right program may need for all tests, milliseconds, where it is more than the usual limit. */
  readonly cpuTimeMs?: number;
  /** A program known to pass every test. Never shown to a generator or a verifier. */
  readonly goldProgram?: string;
}

/** Looks up private tests; only evaluation and training (for outcomes) may be given one. */
export interface PrivateTests {
  /** The private tests of a task, at least one. @throws RangeError for a task that is not of this set. */
  of(taskId: string): readonly Test[];
}

/** Tasks of one split, with what is needed to name them in a report. */
export interface TaskSet {
  readonly suite: string;
  readonly version: string;
  readonly split: string;
  /** SHA-256 (hex) over the tasks and their private tests, in order. */
  readonly hash: string;
  readonly tasks: readonly Task[];
  readonly privateTests: PrivateTests;
  /** What a reader of results should know about these tasks; none in most sets. */
  readonly notes?: readonly string[];
}

export interface LoadOptions {
  readonly split: string;
  /** At most this many tasks, from the start. Required by suites without end (mubpp). */
  readonly limit?: number;
  /** Which draw of tasks, for generated suites; ignored by the others. Default 0. */
  readonly seed?: number;
}

/** A set of tasks people know by name. */
export interface Suite {
  readonly name: string;
  readonly version: string;
  readonly splits: readonly string[];
  /** @throws SuiteError when data is missing or malformed (file, line, what was expected) or the split is unknown. */
  load(options: LoadOptions): Promise<TaskSet>;
}
