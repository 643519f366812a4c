/** The report's tables, laid out like the paper's with its own figures beside; text and HTML are made from these. */
import type { Estimate } from "../../evaluation/statistics.ts";
import { percent, showRate, signed } from "../../evaluation/render-comparison.ts";
import type { Cell, TableColumn } from "../../evaluation/table.ts";
import type { ArmName, Protocol, VerifierName } from "../results.ts";
import type { Ranking } from "./closed-forms.ts";
import { ARM_LABELS, describeProtocol, RULE_LABELS } from "./names.ts";
import { BENCHMARKS, PAPER_BY_CANDIDATES, PAPER_METHODS, PAPER_RELABELLING, PAPER_RULES } from "./paper.ts";
import type { Condition, SeedValue } from "./solve-rates.ts";
import type { ExperimentSummary } from "./summary.ts";

export interface ReportTable {
  /** Unique within the report. */
  readonly id: string;
  readonly title: string;
  /** The first names the rows. */
  readonly columns: readonly TableColumn[];
  readonly rows: readonly (readonly Cell[])[];
  /** What the title cannot say. */
  readonly note?: string;
}

/** The arms that the paper's tables compare. */
export const MAIN_ARMS: readonly ArmName[] = ["base", "rft", "mucode"];

/** Tables of solve rates; those without any measured row are left out. */
export function solveRateTables(summary: ExperimentSummary): ReportTable[] {
  return [
    methodsTable(summary),
    rulesTable(summary),
    candidatesTable(summary),
    relabellingTable(summary),
    turnsTable(summary),
    ...closedFormTables(summary),
  ].filter(({ rows }) => rows.length > 0);
}

/** Every arm under every protocol, with each seed's own rate. */
export function everyRateTable({ solveRates }: ExperimentSummary): ReportTable {
  return {
    id: "every-rate",
    title: "Every arm under every protocol, % solved [95 %]",
    columns: [left("generator"), left("protocol"), right("solved"), left("by seed"), right("failures")],
    rows: solveRates.map(({ arm, protocol, byTurn, perSeedByTurn, failures }) => [
      ARM_LABELS[arm],
      describeProtocol(protocol),
      rate(byTurn.at(-1)),
      showSeeds(perSeedByTurn.at(-1) ?? [], percent),
      failures,
    ]),
    note: "Failures are pairs of task and seed that could not be evaluated; they are left out of the rates.",
  };
}

function methodsTable(summary: ExperimentSummary): ReportTable {
  const { candidates, turns } = summary.info.search;
  const arms: readonly ArmName[] = ["base", "rft-single-turn", "rft", "rft-equal-steps", "mucode-1", "mucode"];
  const paper = PAPER_METHODS as Readonly<
    Partial<
      Record<ArmName, { singleTurn?: readonly number[]; multiTurn: readonly number[]; bestOf5: readonly number[] }>
    >
  >;
  return {
    id: "methods",
    title: "Methods, % solved [95 %]",
    columns: [
      left("generator"),
      right("single turn"),
      right(`T = ${turns}`),
      left("T by seed"),
      right(`T = ${turns}, N = ${candidates} PT+LV`),
      left("N by seed"),
      ...BENCHMARKS.map((benchmark) => right(`paper ${benchmark}`)),
    ],
    rows: withData(
      arms.map((arm) => {
        const multiTurn = ofCondition(summary, greedy(summary, arm));
        const best = ofCondition(summary, bestOf(summary, arm));
        const figures = paper[arm];
        return [
          ARM_LABELS[arm],
          rate(ofCondition(summary, { ...greedy(summary, arm), turns: 1 })?.solved),
          rate(multiTurn?.solved),
          multiTurn && showSeeds(multiTurn.perSeed, percent),
          rate(best?.solved),
          best && showSeeds(best.perSeed, percent),
          ...BENCHMARKS.map((_, index) =>
            figures === undefined
              ? undefined
              : [figures.singleTurn, figures.multiTurn, figures.bestOf5]
                  .map((values) => values?.[index]?.toFixed(1) ?? "–")
                  .join(" / "),
          ),
        ];
      }),
      5,
    ),
    note: "Paper: single turn / T = 3 / T = 3 with N = 5 PT+LV, of the instruct model, RFT and µCode. Its models have 1 and 8 billion parameters and its tasks are others: only the order of the rows is comparable.",
  };
}

function rulesTable(summary: ExperimentSummary): ReportTable {
  const { candidates, turns } = summary.info.search;
  const rules = ["random", "verifier", "public-tests", "public-tests-then-verifier", "oracle"] as const;
  const paper = PAPER_RULES as Readonly<Record<string, { "1B MBPP": number; "1B HumanEval": number } | undefined>>;
  return {
    id: "rules",
    title: `Selection rules, N = ${candidates}, T = ${turns}, % solved [95 %]`,
    columns: [
      left("rule"),
      ...MAIN_ARMS.map((arm) => right(ARM_LABELS[arm])),
      right("paper, µCode 1B MBPP"),
      right("paper, µCode 1B HumanEval"),
    ],
    rows: withData(
      rules.map((rule) => [
        rule === "oracle" ? "oracle (bound)" : RULE_LABELS[rule],
        ...MAIN_ARMS.map((arm) => rate(ofCondition(summary, bestOf(summary, arm, { rule }))?.solved)),
        paper[rule]?.["1B MBPP"].toFixed(1),
        paper[rule]?.["1B HumanEval"].toFixed(1),
      ]),
      MAIN_ARMS.length,
    ),
  };
}

/** N of the searches that µCode's generator was evaluated with, ascending; without greedy. */
export function candidateCounts({ solveRates, info }: ExperimentSummary): number[] {
  const { turns, showPublicTests } = info.search;
  const counts = solveRates
    .filter(({ arm, protocol }) => arm === "mucode" && protocol.rule !== "greedy" && protocol.turns === turns)
    .filter(({ protocol }) => protocol.showPublicTests === showPublicTests)
    .map(({ protocol }) => protocol.candidates);
  return [...new Set(counts)].toSorted((a, b) => a - b);
}

/** The rules that N is varied under. */
export const RULES_BY_CANDIDATES: readonly (Pick<Protocol, "rule" | "verifier"> & { readonly label: string })[] = [
  { rule: "public-tests-then-verifier", verifier: "bradley-terry", label: "PT+LV, Bradley–Terry" },
  { rule: "public-tests-then-verifier", verifier: "bce", label: "PT+LV, BCE" },
  { rule: "verifier", verifier: "bradley-terry", label: "LV, Bradley–Terry" },
  { rule: "verifier", verifier: "bce", label: "LV, BCE" },
  { rule: "public-tests", verifier: null, label: "PT" },
];

function candidatesTable(summary: ExperimentSummary): ReportTable {
  const single = rate(ofCondition(summary, greedy(summary, "mucode"))?.solved);
  const rows = candidateCounts(summary).map((candidates) => [
    `N = ${candidates}`,
    ...RULES_BY_CANDIDATES.map(({ rule, verifier }) =>
      rate(ofCondition(summary, bestOf(summary, "mucode", { rule, verifier, candidates }))?.solved),
    ),
    PAPER_BY_CANDIDATES[candidates]?.toFixed(1),
  ]);
  return {
    id: "candidates",
    title: `Candidates and the verifier's loss: µCode, T = ${summary.info.search.turns}, % solved [95 %]`,
    columns: [
      left("candidates"),
      ...RULES_BY_CANDIDATES.map(({ label }) => right(label)),
      right("paper, PT+LV 1B MBPP"),
    ],
    rows: withData(
      [
        ["N = 1 (greedy)", ...RULES_BY_CANDIDATES.map(() => single), PAPER_BY_CANDIDATES[1]?.toFixed(1)],
        ...rows.filter(([label]) => label !== "N = 1"),
      ],
      RULES_BY_CANDIDATES.length,
    ),
    note: "With one candidate the rules do not differ. The paper plots Bradley–Terry ahead of BCE as N grows.",
  };
}

function relabellingTable(summary: ExperimentSummary): ReportTable {
  const { candidates, turns } = summary.info.search;
  const rows: readonly (readonly [ArmName, string, number])[] = [
    ["mucode", "outcome, then verifier", PAPER_RELABELLING.both],
    ["mucode-outcome", "outcome alone", PAPER_RELABELLING.outcome],
    ["mucode-verifier", "verifier alone", PAPER_RELABELLING.verifier],
  ];
  return {
    id: "relabelling",
    title: "What µCode relabels by, % solved [95 %]",
    columns: [
      left("relabelled by"),
      right(`T = ${turns}`),
      right(`T = ${turns}, N = ${candidates} PT+LV`),
      left("N by seed"),
      right("paper, N = 5 PT+LV 1B MBPP"),
    ],
    rows: withData(
      rows.map(([arm, label, paper]) => {
        const best = ofCondition(summary, bestOf(summary, arm));
        return [
          label,
          rate(ofCondition(summary, greedy(summary, arm))?.solved),
          rate(best?.solved),
          best && showSeeds(best.perSeed, percent),
          paper.toFixed(1),
        ];
      }),
      2,
    ),
  };
}

function turnsTable(summary: ExperimentSummary): ReportTable {
  const shownOrNot = [false, true];
  const most = summary.solveRates
    .filter(({ protocol }) => protocol.rule === "greedy")
    .reduce((turns, { protocol }) => Math.max(turns, protocol.turns), 0);
  const columns = shownOrNot.flatMap((showPublicTests) => MAIN_ARMS.map((arm) => ({ arm, showPublicTests })));
  return {
    id: "turns",
    title: "Turns: greedy, % solved [95 %]",
    columns: [
      left("turns"),
      ...columns.map(({ arm, showPublicTests }) =>
        right(`${ARM_LABELS[arm]}, ${showPublicTests ? "shown" : "hidden"}`),
      ),
    ],
    rows: withData(
      Array.from({ length: most }, (_, index) => [
        `T = ${index + 1}`,
        ...columns.map(({ arm, showPublicTests }) =>
          rate(ofCondition(summary, { ...greedy(summary, arm), turns: index + 1, showPublicTests })?.solved),
        ),
      ]),
      columns.length,
    ),
    note: "The paper plots a gain with every turn, the larger when the tests are not in the prompt.",
  };
}

/** What is ranked by, in the closed forms' tables and plots. */
export const RANKINGS: readonly { ranking: Ranking; verifier: VerifierName | null; label: string }[] = [
  { ranking: "pass@k", verifier: null, label: "pass@k" },
  { ranking: "public-tests-then-verifier", verifier: "bradley-terry", label: "PT+LV" },
  { ranking: "public-tests", verifier: null, label: "PT" },
  { ranking: "verifier", verifier: "bradley-terry", label: "LV" },
  { ranking: "public-tests-then-verifier", verifier: "bce", label: "PT+LV, BCE" },
  { ranking: "verifier", verifier: "bce", label: "LV, BCE" },
];

function closedFormTables({ closedForms, info }: ExperimentSummary): ReportTable[] {
  return MAIN_ARMS.map((arm) => {
    const own = closedForms.filter((one) => one.arm === arm && one.showPublicTests === info.search.showPublicTests);
    const columns = RANKINGS.map(({ ranking, verifier }) =>
      own.find((one) => one.ranking === ranking && one.verifier === verifier),
    );
    const most = own.flatMap(({ points }) => points.map(({ k }) => k)).reduce((a, b) => Math.max(a, b), 0);
    return {
      id: `closed-${arm}`,
      title: `One turn of k candidates: ${ARM_LABELS[arm]}, % solved [95 %]`,
      columns: [left("k"), ...RANKINGS.map(({ label }) => right(label))],
      rows: Array.from({ length: most }, (_, index) => [
        String(index + 1),
        ...columns.map((form) => rate(form?.points.find(({ k }) => k === index + 1)?.solved)),
      ]),
      note: "Exact expectations over draws of k from the candidates sampled at the first turn, not simulated.",
    };
  });
}

interface Rate {
  readonly solved: Estimate;
  readonly perSeed: readonly SeedValue[];
}

/** The shortest search that is long enough shows a condition, as everywhere in the report. */
export function ofCondition({ solveRates }: ExperimentSummary, condition: Condition): Rate | undefined {
  const found = solveRates
    .filter(({ arm, protocol }) => arm === condition.arm && protocol.turns >= condition.turns)
    .filter(({ protocol }) =>
      (["rule", "candidates", "showPublicTests", "verifier"] as const).every((key) => protocol[key] === condition[key]),
    )
    .toSorted((a, b) => a.protocol.turns - b.protocol.turns)[0];
  const solved = found?.byTurn[condition.turns - 1];
  if (!found || !solved) return undefined;
  return { solved, perSeed: found.perSeedByTurn[condition.turns - 1] ?? [] };
}

export function greedy({ info }: ExperimentSummary, arm: ArmName): Condition {
  const { turns, showPublicTests } = info.search;
  return { arm, rule: "greedy", candidates: 1, turns, showPublicTests, verifier: null };
}

/** Best-of-N of the report's main setting; rules without scores get no verifier. */
export function bestOf(
  { info }: ExperimentSummary,
  arm: ArmName,
  changes: Partial<Omit<Condition, "arm">> = {},
): Condition {
  const rule = changes.rule ?? "public-tests-then-verifier";
  const scored = rule === "verifier" || rule === "public-tests-then-verifier";
  return { arm, ...info.search, rule, verifier: scored ? "bradley-terry" : null, ...changes };
}

export function left(header: string): TableColumn {
  return { header, align: "left" };
}

export function right(header: string): TableColumn {
  return { header, align: "right" };
}

/** Each seed's value, in the order of the seeds. */
export function showSeeds(values: readonly SeedValue[], show: typeof percent | typeof signed): string | undefined {
  return values.length === 0 ? undefined : values.map(({ value }) => show(value)).join(" · ");
}

function rate(estimate: Estimate | undefined): string | undefined {
  return estimate && showRate(estimate);
}

/** Rows in which one of the `measured` cells after the name is filled. */
function withData(rows: (readonly Cell[])[], measured: number): (readonly Cell[])[] {
  return rows.filter((row) => row.slice(1, measured + 1).some((cell) => cell !== undefined));
}
