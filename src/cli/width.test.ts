/** No line of what a command prints for people is wider than the terminal. */
import { EventEmitter } from "node:events";
import type { Command } from "commander";
import { array, assert, constant, constantFrom, integer, oneof, property, record, string } from "fast-check";
import { describe, expect, test } from "vitest";
import { madeUpInfo, madeUpResults, noResults } from "../../test/made-up-experiment.ts";
import { renderByTurn } from "../evaluation/by-turn.ts";
import type { Comparison } from "../evaluation/comparison.ts";
import { PROTOCOLS } from "../evaluation/comparison.ts";
import { displayWidth } from "../evaluation/display-width.ts";
import { renderComparison } from "../evaluation/render-comparison.ts";
import { renderTime } from "../evaluation/render-time.ts";
import { renderSampleSummary } from "../evaluation/sample-summary-text.ts";
import { renderTable } from "../evaluation/table.ts";
import { renderExperimentText } from "../experiment/report/index.ts";
import { summarizeExperiment } from "../experiment/report/summary.ts";
import { commands } from "./commands.ts";
import type { RegisterCommand } from "./context.ts";
import { listSuites, renderSuites } from "./list-suites.ts";
import { main } from "./main.ts";
import { print } from "./text-output.ts";

class Terminal extends EventEmitter {
  text = "";
  readonly isTTY = true;
  readonly columns: number;
  constructor(columns: number) {
    super();
    this.columns = columns;
  }
  write(text: string): void {
    this.text += text;
  }
}

/** Lines that are too wide, but for those of one word, which nothing can break. */
function tooWide(text: string, width: number): string[] {
  return text.split("\n").filter((line) => displayWidth(line) > width && line.trim().includes(" "));
}

const width = integer({ min: 40, max: 200 });

function printed(text: string, columns: number): string {
  const stdout = new Terminal(columns);
  print({ stdout }, text);
  return stdout.text;
}

const estimate = { mean: 0.583, low: 0.527, high: 0.638, taskCount: 300, method: "bootstrap" as const };
const generators = ["base", "RFT", "µCode"];
const pairs = [
  ["base", "RFT"],
  ["base", "µCode"],
  ["RFT", "µCode"],
] as const;
const comparison: Comparison = {
  taskCount: 300,
  solveRates: generators.flatMap((generator) =>
    PROTOCOLS.map((protocol) => ({ generator, protocol, solved: estimate })),
  ),
  differences: [
    ...pairs.flatMap(([before, after]) =>
      PROTOCOLS.map((under) => ({ of: "generator" as const, before, after, under, difference: estimate })),
    ),
    ...generators.map((under) => ({
      of: "protocol" as const,
      before: "public-tests" as const,
      after: "public-tests-then-verifier" as const,
      under,
      difference: estimate,
    })),
  ],
  verifier: generators.map((generator) => ({
    generator,
    programs: 1234,
    auc: 0.9,
    ranking: { accuracy: 0.87, taskCount: 120 },
    rankingAmongPublicPassing: null,
  })),
  failures: { base: 3 },
  refused: { base: 1 },
} as unknown as Comparison;

describe("what is printed is no wider than the terminal", () => {
  test("tables of anything", () => {
    const word = oneof(string({ maxLength: 12 }), constantFrom("public-tests-then-verifier", "日本語", "−0.4"));
    const cell = oneof(
      array(word, { maxLength: 8 }).map((words) => words.join(" ")),
      integer(),
      constant(undefined),
    );
    assert(
      property(
        integer({ min: 1, max: 9 }).chain((columns) =>
          record({
            columns: array(array(word, { maxLength: 4 }), { minLength: columns, maxLength: columns }),
            rows: array(array(cell, { maxLength: columns }), { maxLength: 6 }),
          }),
        ),
        width,
        ({ columns, rows }, columnsOfTerminal) => {
          const heads = columns.map((words) => words.join(" "));
          const text = renderTable({ columns: heads, rows, width: columnsOfTerminal });
          expect(text.split("\n").filter((line) => displayWidth(line) > columnsOfTerminal)).toEqual([]);
        },
      ),
      { numRuns: 300 },
    );
  });

  test("every number of a table is still there", () => {
    assert(
      property(width, integer({ min: 1, max: 12 }), (columnsOfTerminal, count) => {
        const numbers = Array.from({ length: count }, (_, column) => `${1000 + column}.5 [${2000 + column}]`);
        const columns = ["best of 5, 3 turns: every rule", ...numbers.map((_, column) => `generator ${column}`)];
        const text = renderTable({ columns, rows: [["row", ...numbers]], width: columnsOfTerminal });
        for (const number of numbers) expect(text).toContain(number);
      }),
    );
  });

  test("an experiment's report", () => {
    assert(
      property(width, constantFrom(madeUpResults, noResults), (columns, results) => {
        const text = renderExperimentText(summarizeExperiment(results, madeUpInfo), columns);
        expect(tooWide(printed(text, columns), columns)).toEqual([]);
      }),
      { numRuns: 10 },
    );
  });

  test("reports of train, eval and grade", () => {
    assert(
      property(width, (columns) => {
        const layout = { candidates: 5, turns: 3, width: columns };
        const rates = [1, 2, 3].map((turns) => ({
          conversations: "public-tests-then-verifier" as const,
          turns,
          solved: estimate,
        }));
        const text = [
          renderComparison(comparison, layout),
          renderByTurn(rates, layout),
          renderTime(
            { stages: { a: 10 }, resources: { "generator training": { seconds: 8, counts: { tokens: 1e6 } } } },
            columns,
          ),
          renderSampleSummary(
            {
              tasks: 164,
              samples: 200,
              passAtK: [{ k: 1, estimate, undefinedTasks: 2 }],
              verdicts: { passed: 1, failed: 2, error: 3, "timed-out": 4, "out-of-memory": 5, "no-program": 6 },
              ungradable: 1,
              tasksWithoutSamples: ["HumanEval/1", "HumanEval/2"],
            } as never,
            { tasks: "humaneval 1, test (164 tasks, sha256 0123456789ab)", width: columns },
          ),
          renderSuites(listSuites()),
        ].join("\n\n");
        expect(tooWide(printed(text, columns), columns)).toEqual([]);
      }),
      { numRuns: 30 },
    );
  });

  test("the help of every command", async () => {
    const registerHelps: RegisterCommand = (program, context) => {
      const helps = (command: Command): string[] => [command.helpInformation(), ...command.commands.flatMap(helps)];
      program.command("helps").action(() => print(context, helps(program).join("")));
    };
    for (const columns of [40, 80]) {
      const stdout = new Terminal(columns);
      const options = { stdout, stderr: stdout, signals: new EventEmitter(), commands: [...commands, registerHelps] };
      expect(await main(["helps"], options)).toBe(0);
      expect(stdout.text.match(/^Usage: /gm)!.length).toBeGreaterThan(20);
      expect(tooWide(stdout.text, columns)).toEqual([]);
    }
  });
});

test("what does not fit comes in blocks of generators, each with the rows' names", () => {
  expect(renderComparison(comparison, { candidates: 5, turns: 3, width: 80 }).split("\n").slice(0, 26).join("\n"))
    .toMatchInlineSnapshot(`
    "solved of 300 held-                   base                RFT              µCode
      out tasks, % [95 %]
    ───────────────────────  ─────────────────  ─────────────────  ─────────────────
    greedy, single turn      58.3 [52.7, 63.8]  58.3 [52.7, 63.8]  58.3 [52.7, 63.8]
    greedy, 3 turns          58.3 [52.7, 63.8]  58.3 [52.7, 63.8]  58.3 [52.7, 63.8]
    best of 5, 3 turns:      58.3 [52.7, 63.8]  58.3 [52.7, 63.8]  58.3 [52.7, 63.8]
      random
    best of 5, 3 turns:      58.3 [52.7, 63.8]  58.3 [52.7, 63.8]  58.3 [52.7, 63.8]
      public-tests
    best of 5, 3 turns:      58.3 [52.7, 63.8]  58.3 [52.7, 63.8]  58.3 [52.7, 63.8]
      verifier
    best of 5, 3 turns:      58.3 [52.7, 63.8]  58.3 [52.7, 63.8]  58.3 [52.7, 63.8]
      public-tests-then-
      verifier
    best of 5, 3 turns:      58.3 [52.7, 63.8]  58.3 [52.7, 63.8]  58.3 [52.7, 63.8]
      oracle (bound)

    difference, points [95 %, paired]               RFT − base          µCode − base
    ────────────────────────────────────  ────────────────────  ────────────────────
    greedy, single turn                   +58.3 [+52.7, +63.8]  +58.3 [+52.7, +63.8]
    greedy, 3 turns                       +58.3 [+52.7, +63.8]  +58.3 [+52.7, +63.8]
    best of 5, 3 turns: random            +58.3 [+52.7, +63.8]  +58.3 [+52.7, +63.8]
    best of 5, 3 turns: public-tests      +58.3 [+52.7, +63.8]  +58.3 [+52.7, +63.8]
    best of 5, 3 turns: verifier          +58.3 [+52.7, +63.8]  +58.3 [+52.7, +63.8]
    best of 5, 3 turns: public-tests-     +58.3 [+52.7, +63.8]  +58.3 [+52.7, +63.8]
      then-verifier"
  `);
});

test("a long text goes on under its own beginning; words that nothing can break stay whole", () => {
  const path = "/a/very/long/path/that/somebody/wants/to/copy/from/here/report.json";
  const text = printed(`generator   a model that is described at some length\n  Everything is in ${path}.\n`, 40);
  expect(text.split("\n")).toEqual([
    "generator   a model that is described at",
    "            some length",
    "  Everything is in",
    `  ${path}.`,
    "",
  ]);
});
