/** The report's plots; those without data are left out. */
import type { Estimate } from "../../evaluation/statistics.ts";
import { renderIntervalChart, renderStackedChart } from "./bar-chart.ts";
import { STAGE_KINDS } from "./costs.ts";
import { renderLineChart, type Point } from "./line-chart.ts";
import { ARM_LABELS, ARMS, RULE_LABELS, VERIFIER_LABELS } from "./names.ts";
import type { ExperimentSummary } from "./summary.ts";
import { SMALLEST_GAIN } from "./claims.ts";
import { bestOf, candidateCounts, greedy, MAIN_ARMS, ofCondition, RANKINGS, RULES_BY_CANDIDATES } from "./tables.ts";

export interface Plot {
  readonly id: string;
  readonly title: string;
  readonly caption: string;
  readonly svg: string;
}

/** Without its picture. */
type PlotFacts = Omit<Plot, "svg">;

/** The deciding comparisons as points on one axis. */
export function claimsPlot({ claims }: ExperimentSummary): Plot[] {
  const run = claims.flatMap(({ number, deciding }) =>
    deciding.flatMap(({ label, measured }) =>
      measured ? [{ label: `${number}: ${label.replace(": ", "\n")}`, estimate: measured.estimate }] : [],
    ),
  );
  const facts = {
    id: "plot-claims",
    title: "The comparisons that decide",
    caption: `Points right of 0 speak for the claim. Dashed: ${inPercent(SMALLEST_GAIN)} points, the smallest gain worth having.`,
  };
  if (run.length === 0) return [];
  const svg = renderIntervalChart({
    ...described(facts),
    xLabel: "difference, points, with 95 % interval",
    series: ["difference"],
    mark: "point",
    references: [inPercent(SMALLEST_GAIN)],
    groups: run.map(({ label, estimate }) => ({ label, values: [scaled(estimate)] })),
  });
  return [{ ...facts, svg }];
}

export function solveRatePlots(summary: ExperimentSummary): Plot[] {
  return [
    ...turnsPlots(summary),
    ...candidatesPlot(summary),
    ...rulesPlot(summary),
    ...MAIN_ARMS.flatMap((arm) => closedFormPlot(summary, arm)),
  ];
}

function turnsPlots(summary: ExperimentSummary): Plot[] {
  const panels = [false, true].map((showPublicTests) => ({
    showPublicTests,
    series: MAIN_ARMS.flatMap((arm) => {
      const longest = summary.solveRates
        .filter((one) => one.arm === arm && one.protocol.rule === "greedy")
        .filter(({ protocol }) => protocol.showPublicTests === showPublicTests)
        .toSorted((a, b) => b.protocol.turns - a.protocol.turns)[0];
      return longest
        ? [{ name: ARM_LABELS[arm], lines: [longest.byTurn.map((one, turn) => point(turn + 1, one))] }]
        : [];
    }),
  }));
  const all = panels.flatMap(({ series }) => series.flatMap(({ lines }) => lines.flat()));
  const yRange = [Math.min(...all.map(({ low }) => low)), Math.max(...all.map(({ high }) => high))] as const;
  return panels.flatMap(({ showPublicTests, series }) => {
    const how = showPublicTests ? "shown" : "hidden";
    return linePlot({
      id: `plot-turns-${how}`,
      title: `Solve rate by turn, tests ${how}`,
      caption: `Greedy. The share solved when at most T turns are allowed, with the public tests ${how} in the prompt; bands are 95 % intervals.`,
      xLabel: "most turns, T",
      yLabel: "% solved",
      series,
      yRange,
    });
  });
}

function candidatesPlot(summary: ExperimentSummary): Plot[] {
  const counts = candidateCounts(summary).filter((candidates) => candidates > 1);
  const single = ofCondition(summary, greedy(summary, "mucode"));
  const series = RULES_BY_CANDIDATES.flatMap(({ rule, verifier, label }) => {
    const points = counts.flatMap((candidates) => {
      const rate = ofCondition(summary, bestOf(summary, "mucode", { rule, verifier, candidates }));
      return rate ? [point(candidates, rate.solved)] : [];
    });
    return points.length === 0
      ? []
      : [{ name: label, lines: [[...(single ? [point(1, single.solved)] : []), ...points]] }];
  });
  return linePlot({
    id: "plot-candidates",
    title: "Solve rate by number of candidates",
    caption: `µCode, T = ${summary.info.search.turns}. N = 1 is greedy, the same for every rule; bands are 95 % intervals.`,
    xLabel: "candidates per turn, N",
    yLabel: "% solved",
    series,
  });
}

function rulesPlot(summary: ExperimentSummary): Plot[] {
  const { candidates, turns } = summary.info.search;
  const groups = (["random", "verifier", "public-tests", "public-tests-then-verifier", "oracle"] as const)
    .map((rule) => ({
      label: rule === "oracle" ? "oracle (bound)" : RULE_LABELS[rule],
      values: MAIN_ARMS.map((arm) => {
        const rate = ofCondition(summary, bestOf(summary, arm, { rule }));
        return rate ? scaled(rate.solved) : null;
      }),
    }))
    .filter(({ values }) => values.some((value) => value !== null));
  const facts = {
    id: "plot-rules",
    title: "Solve rate by selection rule",
    caption: `N = ${candidates}, T = ${turns}, with 95 % intervals. The oracle is a bound, no method.`,
  };
  if (groups.length === 0) return [];
  const series = MAIN_ARMS.map((arm) => ARM_LABELS[arm]);
  return [
    { ...facts, svg: renderIntervalChart({ ...described(facts), xLabel: "% solved", series, mark: "bar", groups }) },
  ];
}

function closedFormPlot({ closedForms, info }: ExperimentSummary, arm: (typeof MAIN_ARMS)[number]): Plot[] {
  const own = closedForms.filter((one) => one.arm === arm && one.showPublicTests === info.search.showPublicTests);
  return linePlot({
    id: `plot-closed-${arm}`,
    title: `One turn of k candidates: ${ARM_LABELS[arm]}`,
    caption:
      "Exact expectations from the first turn's candidates: pass@k is what an oracle would reach; bands are 95 % intervals.",
    xLabel: "candidates, k",
    yLabel: "% solved",
    series: RANKINGS.flatMap(({ ranking, verifier, label }) =>
      own
        .filter((one) => one.ranking === ranking && one.verifier === verifier)
        .map(({ points }) => ({ name: label, lines: [points.map(({ k, solved }) => point(k, solved))] })),
    ),
  });
}

export function verifierPlots({ verifiers }: ExperimentSummary): Plot[] {
  // One generator's programs are enough: its tables hold the others.
  const arm = MAIN_ARMS.toReversed().find((writer) => verifiers.some((one) => one.arm === writer));
  const ofArm = verifiers.filter((one) => one.arm === arm);
  const reliability = ofArm.flatMap(({ verifier, arm: writer, train, heldOut }) => {
    const curves = [
      { name: "held out, scaled", bins: heldOut.calibration.after?.bins },
      { name: "held out, scores as they are", bins: heldOut.calibration.before?.bins },
      { name: "training tasks, scaled", bins: train.calibration.after?.bins },
    ];
    return linePlot({
      id: `plot-reliability-${verifier}`,
      title: `Reliability: ${VERIFIER_LABELS[verifier]}, programs by ${ARM_LABELS[writer]}`,
      caption:
        "Share of right programs by predicted probability, in ten bins of as many programs each; a calibrated verifier lies on the diagonal. Scaled: by Platt's method, fitted on training tasks.",
      xLabel: "predicted probability of being right",
      yLabel: "share that is right",
      series: curves.flatMap(({ name, bins }) =>
        bins === undefined
          ? []
          : [{ name, lines: [bins.map(({ confidence, accuracy }) => ({ x: confidence, y: accuracy }))] }],
      ),
      diagonal: true,
      xRange: [0, 1],
      yRange: [0, 1],
    });
  });
  return [...rankingPlot(verifiers), ...reliability];
}

function rankingPlot(verifiers: ExperimentSummary["verifiers"]): Plot[] {
  const groups = verifiers
    .filter(({ arm, trainArm }) => arm === trainArm)
    .map(({ verifier, arm, train, heldOut }) => ({
      label: `${VERIFIER_LABELS[verifier]}\nprograms by ${ARM_LABELS[arm]}`,
      values: [
        train.ranking.withinTasks,
        heldOut.ranking.withinTasks,
        train.ranking.amongPublicPassing,
        heldOut.ranking.amongPublicPassing,
      ].map((estimate) => (estimate ? scaled(estimate) : null)),
    }))
    .filter(({ values }) => values.some((value) => value !== null));
  const facts = {
    id: "plot-ranking",
    title: "Ranking accuracy of the verifiers, training tasks against held-out ones",
    caption:
      "Share of (right, wrong) pairs of a task in the right order, with 95 % intervals; the dashed line is chance. A longer bar for training tasks than for held-out ones is over-fitting.",
  };
  if (groups.length === 0) return [];
  const svg = renderIntervalChart({
    ...described(facts),
    xLabel: "% of pairs in the right order",
    series: [
      "training tasks",
      "held-out tasks",
      "training tasks, public-passing programs",
      "held-out tasks, public-passing programs",
    ],
    mark: "bar",
    references: [50],
    groups,
  });
  return [{ ...facts, svg }];
}

export function learningPlots({ learningCurves }: ExperimentSummary): Plot[] {
  return (["generator", "verifier"] as const).flatMap((of) =>
    linePlot({
      id: `plot-learning-${of}`,
      title: `Learning curves: ${of}s`,
      caption:
        of === "generator"
          ? "Mean loss of each fit, one line per seed and iteration."
          : "Mean loss of each fit, one line per seed and iteration; losses of different kinds are not comparable.",
      xLabel: "optimiser step",
      yLabel: "loss",
      series: ARMS.flatMap((arm) => {
        const lines = learningCurves
          .filter((curve) => curve.of === of && curve.arm === arm)
          .map(({ points }) => points.map(({ step, loss }) => ({ x: step, y: loss })));
        return lines.length === 0 ? [] : [{ name: ARM_LABELS[arm], lines }];
      }),
    }),
  );
}

export function costPlot({ costs }: ExperimentSummary): Plot[] {
  if (costs.spent.total.seconds === 0) return [];
  const rows = [
    ...costs.arms.map(({ arm, byKind }) => ({ label: ARM_LABELS[arm], byKind })),
    { label: "really spent", byKind: costs.spent.byKind },
  ];
  const facts = {
    id: "plot-cost",
    title: "Where wall-clock went",
    caption: "All seeds together. Work that arms share is charged to each in full; really spent counts it once.",
  };
  const svg = renderStackedChart({
    ...described(facts),
    xLabel: "minutes",
    series: STAGE_KINDS,
    rows: rows.map(({ label, byKind }) => ({ label, values: STAGE_KINDS.map((kind) => byKind[kind].seconds / 60) })),
  });
  return [{ ...facts, svg }];
}

function linePlot(plot: PlotFacts & Omit<Parameters<typeof renderLineChart>[0], "description">): Plot[] {
  const { id, title, caption } = plot;
  const drawable = plot.series.some(({ lines }) => lines.some((line) => line.length > 0));
  return drawable ? [{ id, title, caption, svg: renderLineChart({ ...plot, ...described(plot) }) }] : [];
}

function described({ id, title, caption }: PlotFacts): { id: string; title: string; description: string } {
  return { id, title, description: caption };
}

function point(x: number, estimate: Estimate): Required<Point> {
  const { mean, low, high } = scaled(estimate);
  return { x, y: mean, low, high };
}

function scaled({ mean, low, high }: Estimate): { mean: number; low: number; high: number } {
  return { mean: 100 * mean, low: 100 * low, high: 100 * high };
}

function inPercent(share: number): number {
  return Number((100 * share).toFixed(6));
}
