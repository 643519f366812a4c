/**
 * BigCodeBench (Zhuo et al. 2024, arXiv 2406.15877), from its published file: functions that use libraries, tested by
 * `unittest` classes that replace parts of these libraries.
 */
import { z } from "zod";
import { findExamples } from "./docstring-examples.ts";
import type { FileSuiteOptions } from "./mbpp.ts";
import { missingPackages } from "./sandbox-modules.ts";
import { readTaskFile } from "./task-file.ts";
import { checkLoadOptions, createTaskSet } from "./task-set.ts";
import type { NotGradable, Suite, Task, Test } from "./task.ts";

const NAME = "bigcodebench";
const VERSION = "0.1.4";
const FILES = ["BigCodeBench.jsonl", "BigCodeBench.jsonl.gz", `BigCodeBench-v${VERSION}.jsonl`];
/** Seconds of BigCodeBench's own limit for the tests of a task. */
const TIME_LIMIT = 10;

const bigCodeBenchRecord = z.object({
  task_id: z.string().min(1),
  complete_prompt: z.string().min(1),
  instruct_prompt: z.string().min(1),
  canonical_solution: z.string(),
  code_prompt: z.string(),
  test: z.string().regex(/^class\s+\w+\s*\([^)\n]*TestCase\b/m, "expected a class with TestCase among its bases"),
  entry_point: z.string().regex(/^[A-Za-z_]\w*$/, "expected the name of a function"),
  libs: z.string().regex(/^\s*\[[^\]]*\]\s*$/, "expected a Python list of names"),
});
type BigCodeBenchRecord = z.infer<typeof bigCodeBenchRecord>;

/**
 * Splits: `complete` (the prompt is signature and docstring) and `instruct` (it is in words). The private test is the
 * file's unittest class; public are the readable examples of the docstring or, where there is none, that the function
 * exists. Tasks whose libraries no sandbox has are not gradable: they are counted with the names of the packages.
 */
export function createBigCodeBench({ dataDirectory }: FileSuiteOptions): Suite {
  const splits = ["complete", "instruct"];
  return {
    name: NAME,
    version: VERSION,
    splits,
    async load(request) {
      checkLoadOptions({ name: NAME, splits }, request);
      const { split, limit } = request;
      const records = await readTaskFile({
        suite: NAME,
        directory: dataDirectory,
        paths: [...FILES, ...FILES.map((file) => `${NAME}/${file}`), `data/v${VERSION}-00000-of-00001.parquet`],
        source: "https://huggingface.co/datasets/bigcode/bigcodebench",
        schema: bigCodeBenchRecord,
        idOf: ({ task_id }) => task_id,
      });
      const chosen = records.slice(0, limit).map((record) => ({
        ...toEntry(record, split),
        missing: missingPackages(packagesOf(record)),
      }));
      const notGradable = chosen
        .filter(({ missing }) => missing.length > 0)
        .map(({ task, missing }) => ({ task, reason: `it needs ${missing.join(", ")}, which no sandbox has` }));
      return createTaskSet({
        suite: NAME,
        version: VERSION,
        split,
        tasks: chosen.filter(({ missing }) => missing.length === 0),
        notGradable,
        notes: notesOf(chosen, notGradable),
      });
    },
  };
}

function toEntry(record: BigCodeBenchRecord, split: string): { task: Task; privateTests: readonly Test[] } {
  const { task_id, complete_prompt, instruct_prompt, code_prompt, canonical_solution, entry_point, test } = record;
  const examples = findExamples(complete_prompt, entry_point);
  const task: Task = {
    id: task_id,
    prompt: split === "complete" ? complete_prompt : instruct_prompt,
    language: "python",
    entryPoint: entry_point,
    publicTests: examples.length > 0 ? examples : [{ kind: "assert", source: `assert callable(${entry_point})` }],
    timeLimit: TIME_LIMIT,
    goldProgram: `${code_prompt.trimEnd()}\n${canonical_solution}`,
  };
  return { task, privateTests: [{ kind: "unittest", source: test }] };
}

/** What the record says it needs, and what its code and tests import. */
function packagesOf({ libs, code_prompt, canonical_solution, test }: BigCodeBenchRecord): readonly string[] {
  const named = [...libs.matchAll(/["']([\w.]+)["']/g)].map(([, name]) => name as string);
  const source = [code_prompt, canonical_solution, test].join("\n");
  const imported = [...source.matchAll(/^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import\b|import[ \t]+([^\n#;]+))/gm)];
  const modules = imported.flatMap(([, from, list]) =>
    from === undefined ? (list as string).split(",").map((part) => part.trim().split(/\s/, 1)[0] as string) : [from],
  );
  return [...named, ...modules];
}

function notesOf(
  chosen: readonly { readonly missing: readonly string[] }[],
  notGradable: readonly NotGradable[],
): readonly string[] {
  const guarantee =
    "tests run in the program's own process, where a program could see them and lie: for programs that were not made to";
  if (notGradable.length === 0) return [guarantee];
  const counts = new Map<string, number>();
  for (const name of chosen.flatMap(({ missing }) => missing)) counts.set(name, (counts.get(name) ?? 0) + 1);
  const names = [...counts].toSorted(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).map(([name, n]) => `${name} ${n}`);
  return [
    `${notGradable.length} of ${chosen.length} tasks are not gradable, for want of packages: ${names.join(", ")}`,
    guarantee,
  ];
}
