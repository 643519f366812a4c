/**
 * Programs in, verdicts out. Expected values stay with the judge; the sandbox runs calls; this file brings the two
 * together, shares identical requests and remembers their grades.
 */
import { allSettled } from "../concurrency.ts";
import { ConfigError, SandboxError } from "../errors.ts";
import { DEFAULT_LIMITS, type Language, type Sandbox, type SandboxLimits } from "../sandbox/sandbox.ts";
import { digestOf } from "./digest.ts";
import { createGoldLimits } from "./gold-limits.ts";
import type { Grade, GradeRequest, Grader, TestResult, Verdict } from "./grade.ts";
import { createReferences } from "./references.ts";
import { createJavascriptJudge } from "./javascript-judge.ts";
import { createPythonJudge, type Judge, type JudgeOptions } from "./judge.ts";
import { createSharedRuns } from "./shared-runs.ts";

export interface GraderOptions extends JudgeOptions {
  /** Where programs run, by language. They stay open when the grader is closed: they belong to who made them. */
  readonly sandboxes: Partial<Record<Language, Sandbox>>;
  /** Usual limits of one run of a program; see {@link GradeRequest.goldProgram}. */
  readonly limits?: SandboxLimits;
  /** Seconds of CPU time of a run with little to do, for every request, whatever it says itself. */
  readonly timeLimit?: number;
  /** Grades remembered. Default 20000. */
  readonly cacheSize?: number;
}

/** A grader that has just shown that it tells a right program from a wrong one. @throws SandboxError when it cannot. */
export async function createGrader(options: GraderOptions): Promise<Grader> {
  const { sandboxes, limits: usual = DEFAULT_LIMITS, timeLimit, cacheSize = 20_000, ...judgeOptions } = options;
  const judges = new Map<Language, Judge>();
  const runs = createSharedRuns<Grade>(cacheSize);
  const references = createReferences();
  const goldLimits = createGoldLimits();

  function judgeOf(language: Language): Judge {
    const judge = judges.get(language) ?? JUDGES[language](judgeOptions);
    judges.set(language, judge);
    return judge;
  }

  const grader: Grader = {
    async grade(request, signal) {
      if (request.tests.length === 0) throw new RangeError("A program cannot be graded by an empty list of tests");
      signal?.throwIfAborted();
      const { program, language = "python" } = request;
      if (program === null) return gradeOf(request.tests.map(() => ({ verdict: "no-program" })));
      const sandbox = sandboxes[language];
      if (!sandbox) throw new ConfigError(`This grader has no sandbox for ${language}`, { language });
      const { entryPoint = null, preamble = null, setupCode = null, goldProgram = null } = request;
      const seconds = timeLimit ?? request.timeLimit;
      const limits = seconds === undefined ? usual : { ...usual, cpuTimeMs: Math.ceil(seconds * 1000) };
      const tests = await allSettled(request.tests.map(digestOf));
      const sources = [program, entryPoint, preamble, setupCode, goldProgram];
      const key = await digestOf([sources, tests, limits, sandbox.version]);
      const tools = { sandbox, judge: judgeOf(language), limits, goldTimeMs: null, references };
      const work = (shared: AbortSignal): Promise<TestResult[]> =>
        goldLimits.grade(tools, { ...request, program }, shared);
      return runs.run(key, async (shared) => gradeOf(await work(shared)), signal);
    },
    async close() {
      await allSettled([...judges.values()].map((judge) => judge.close()));
    },
  };
  try {
    await allSettled((Object.keys(sandboxes) as Language[]).map((language) => selfTest(grader, language)));
  } catch (error) {
    await grader.close();
    throw error;
  }
  return grader;
}

const JUDGES: Record<Language, (options: JudgeOptions) => Judge> = {
  python: createPythonJudge,
  javascript: () => createJavascriptJudge(),
};

/** The overall verdict is the first that is not `passed`. */
function gradeOf(tests: readonly TestResult[]): Grade {
  const verdict: Verdict = tests.find((test) => test.verdict !== "passed")?.verdict ?? "passed";
  return { verdict, tests };
}

/** A right and a wrong program per language; the second test is one that has to be replayed. */
const SELF_TESTS: Record<Language, { tests: readonly string[]; program: (body: string) => string }> = {
  python: {
    tests: ["assert mucode_self_test(20) == 41", "assert abs(mucode_self_test(1) - 3) < 1"],
    program: (body) => `def mucode_self_test(x):\n    return ${body}\n`,
  },
  javascript: {
    tests: [
      "console.assert(mucodeSelfTest(20) === 41)",
      "if (Math.abs(mucodeSelfTest(1) - 3) >= 1) throw new Error('wrong')",
    ],
    program: (body) => `const mucodeSelfTest = (x) => ${body};\n`,
  },
};

async function selfTest(grader: Grader, language: Language): Promise<void> {
  const { tests: sources, program } = SELF_TESTS[language];
  const tests: GradeRequest["tests"] = sources.map((source) => ({ kind: "assert", source }));
  const [right, wrong] = await allSettled([
    grader.grade({ language, program: program("2 * x + 1"), tests }),
    grader.grade({ language, program: program("2 * x"), tests }),
  ]);
  if (right.verdict === "passed" && wrong.tests.every(({ verdict }) => verdict === "failed" || verdict === "error"))
    return;
  throw new SandboxError(`The grader failed its self-test: it cannot tell right from wrong ${language}`, {
    right,
    wrong,
  });
}
