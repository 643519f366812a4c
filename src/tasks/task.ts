/** What a task is, and where its private tests are kept. */

export type Language = "python" | "javascript";

/**
 * Statements run after the program and the task's setup code. Python: passing means that no exception is raised; usually
 * `assert CALL == LITERAL`, in HumanEval a `check` function and its call. JavaScript: passing means that nothing is
 * thrown and that no `console.assert` is given a false condition.
 */
export interface AssertTest {
  readonly kind: "assert";
  readonly source: string;
}

/** The program as a whole: reads `stdin`, and passes when what it prints compares with `stdout`. */
export interface StdinTest {
  readonly kind: "stdin";
  readonly stdin: string;
  readonly stdout: string;
  /**
   * `words` (default): the same words, whatever white space is between them. `lines`: the same lines; white space at their
   * ends and around the whole does not count. `unordered-lines`: these in any order. `exact`: every character counts but
   * line feeds at the end.
   */
  readonly comparison?: "words" | "lines" | "unordered-lines" | "exact";
  /**
   * With `words` and `lines`: words that are numbers compare as numbers. Largest difference, absolute or relative to the
   * expected one, that counts as equal; 0: the same number however it is written. Default: words compare as text.
   */
  readonly tolerance?: number;
}

/**
 * Classes of `unittest.TestCase` (Python), for tests that cannot be kept apart from the program because they replace parts
 * of it or of its modules. They run in the program's own process, so a program could see them and could lie about them:
 * for programs of models that were not made to cheat.
 */
export interface UnittestTest {
  readonly kind: "unittest";
  /** Runs after the program and the setup code; its classes with `TestCase` among their bases are the tests. */
  readonly source: string;
}

/** The function must answer like the reference program on every input (EvalPlus). */
export interface ReferenceTest {
  readonly kind: "reference";
  readonly entryPoint: string;
  /** Argument lists as Python source without the parentheses, e.g. `[1.0, 2.0], 0.3`. At least one. */
  readonly inputs: readonly string[];
  /** A program known to be right; runs like any other program and is never shown to a solver. */
  readonly reference: string;
  /** Largest absolute difference between floats that counts as equal; 0: exact. */
  readonly tolerance: number;
  /**
   * `equal` (the usual): Python's `==`, floats within the tolerance. `set`: both as sets. `presence`: both `None`, or
   * neither. `root`: the polynomial whose coefficients are the input is within the tolerance of 0 at the answer.
   */
  readonly comparison: "equal" | "set" | "presence" | "root";
}

/** One test of a task. */
export type Test = AssertTest | StdinTest | ReferenceTest | UnittestTest;

/** A programming task as a solver may see it. Private tests are deliberately not a field: see {@link PrivateTests}. */
export interface Task {
  /** Unique within its suite, e.g. `mubpp/test/17`, `mbpp/601`, `HumanEval/0`. */
  readonly id: string;
  /** The problem in words (HumanEval: signature and docstring). */
  readonly prompt: string;
  readonly language: Language;
  /** Name of the function or class that the tests call. */
  readonly entryPoint?: string;
  /** The start of a program, e.g. a class with a method to be filled in, shown with the prompt. */
  readonly starterCode?: string;
  /** At least one. The solver may run them and read the result. */
  readonly publicTests: readonly Test[];
  /**
   * Source run before the program in its namespace, e.g. `from typing import *`. It is a source of its own: a program may
   * begin with `from __future__ import …`, and its lines keep their numbers. Not shown to a solver.
   */
  readonly preamble?: string;
  /** Source run after the program and before the tests (MBPP's `test_setup_code`); not with stdin tests. */
  readonly setupCode?: string;
  /**
   * Seconds of CPU time for a run with little to do, default 3. Runs with many calls or much input are allowed up to ten
   * times as much, and every run is allowed ten times what the gold program takes.
   */
  readonly timeLimit?: number;
  /** A program known to pass every test, unless {@link goldProblem} says otherwise. Never shown to a generator or a verifier. */
  readonly goldProgram?: string;
  /** Why the gold program is known to fail its tests: what `tasks check` prints beside it. */
  readonly goldProblem?: string;
  /** A program known to be wrong; only `tasks check` uses it. */
  readonly wrongProgram?: string;
}

/** Looks up private tests; only evaluation and training (for outcomes) may be given one. */
export interface PrivateTests {
  /** The private tests of a task, at least one. @throws RangeError for a task that is not of this set. */
  of(taskId: string): readonly Test[];
}

/** A task of a suite that cannot be graded here, and why, in a sentence that begins with `it`. */
export interface NotGradable {
  readonly task: Task;
  readonly reason: string;
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
  /** Tasks of the split that are left out; none in most sets. */
  readonly notGradable?: readonly NotGradable[];
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
