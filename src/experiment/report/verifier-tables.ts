/** Tables of the verifiers' examination, of recoverability and of costs. */
import { percent, showDifference, showRate } from "../../evaluation/render-comparison.ts";
import type { Cell } from "../../evaluation/table.ts";
import type { SplitExamination } from "../examination/index.ts";
import { STAGE_KINDS, type Spending } from "./costs.ts";
import { ARM_LABELS, VERIFIER_LABELS } from "./names.ts";
import type { ExperimentSummary } from "./summary.ts";
import { left, right, showSeeds, type ReportTable } from "./tables.ts";

export function verifierTables(summary: ExperimentSummary): ReportTable[] {
  return [examinedTable(summary), overfittingTable(summary), byTurnTable(summary), differencesTable(summary)].filter(
    ({ rows }) => rows.length > 0,
  );
}

type Examined = Omit<SplitExamination, "tasks" | "byTurn">;

const EXAMINED_COLUMNS = [
  right("programs"),
  right("right"),
  right("AUC"),
  right("ranking in tasks"),
  right("… public-passing"),
  right("ECE as is"),
  right("ECE scaled"),
  right("Brier scaled"),
  right("Brier, base rate"),
  right("demoted"),
];

function examinedCells({ ranking, calibration, demotion }: Examined): Cell[] {
  return [
    ranking.programs,
    ranking.programs === 0 ? undefined : percent(ranking.right / ranking.programs),
    ranking.auc?.toFixed(3),
    ranking.withinTasks ? showRate(ranking.withinTasks) : undefined,
    ranking.amongPublicPassing ? showRate(ranking.amongPublicPassing) : undefined,
    calibration.before?.expectedCalibrationError.toFixed(3),
    calibration.after?.expectedCalibrationError.toFixed(3),
    calibration.after?.brier.toFixed(3),
    calibration.brierOfBaseRate?.toFixed(3),
    demotion.share ? showRate(demotion.share) : undefined,
  ];
}

function examinedTable({ verifiers }: ExperimentSummary): ReportTable {
  return {
    id: "verifiers",
    title: "Verifiers on programs of their training tasks and of held-out tasks, % [95 %]",
    columns: [left("verifier"), left("programs by"), left("tasks"), ...EXAMINED_COLUMNS],
    rows: verifiers.flatMap(({ verifier, arm, trainArm, train, heldOut }) =>
      [...(trainArm === arm ? [{ label: "training", split: train }] : []), { label: "held out", split: heldOut }]
        .filter(({ split }) => split.ranking.programs > 0)
        .map(({ label, split }) => [VERIFIER_LABELS[verifier], ARM_LABELS[arm], label, ...examinedCells(split)]),
    ),
    note: "Ranking: share of the (right, wrong) pairs of a task put in the right order. ECE: expected calibration error, of the scores as they are where they are logits of being right, and after Platt scaling fitted on training tasks. Base rate: the Brier score of always predicting the share that is right. Demoted: of the wrong programs that pass the public tests, the share scored below a right program of the same turn.",
  };
}

function overfittingTable({ verifiers }: ExperimentSummary): ReportTable {
  return {
    id: "overfitting",
    title: "What verifiers do better on their training tasks, points [95 %]",
    columns: [
      left("verifier"),
      left("programs by"),
      right("ranking in tasks"),
      right("… public-passing"),
      right("Brier, × 100"),
    ],
    rows: verifiers
      .filter(({ arm, trainArm }) => arm === trainArm)
      .filter(({ overfitting }) => Object.values(overfitting).some((gap) => gap !== null))
      .map(({ verifier, arm, overfitting }) => [
        VERIFIER_LABELS[verifier],
        ARM_LABELS[arm],
        ...[overfitting.ranking, overfitting.rankingAmongPublicPassing, overfitting.brier].map((gap) =>
          gap ? showDifference(gap) : undefined,
        ),
      ]),
    note: "Above 0: over-fitted by that much. Trained arms' programs of training tasks are by the generator of their first iteration.",
  };
}

function byTurnTable({ verifiers }: ExperimentSummary): ReportTable {
  return {
    id: "verifiers-by-turn",
    title: "Verifiers on held-out programs, by the turn at which they were written, % [95 %]",
    columns: [left("verifier"), left("programs by"), left("turn"), ...EXAMINED_COLUMNS],
    rows: verifiers.flatMap(({ verifier, arm, heldOut }) =>
      heldOut.byTurn.map((turn) => [
        VERIFIER_LABELS[verifier],
        ARM_LABELS[arm],
        String(turn.turnIndex + 1),
        ...examinedCells(turn),
      ]),
    ),
  };
}

function differencesTable({ verifierDifferences }: ExperimentSummary): ReportTable {
  return {
    id: "verifier-differences",
    title: "What the verifier's loss and its training data change on held-out programs, points [95 %]",
    columns: [
      left("difference"),
      left("programs by"),
      right("ranking in tasks"),
      right("… public-passing"),
      right("demoted"),
      right("Brier, × 100"),
    ],
    rows: verifierDifferences.map((one) => [
      one.before === "bradley-terry-base-data"
        ? "all rollouts − base model's alone"
        : `${VERIFIER_LABELS[one.after]} − ${VERIFIER_LABELS[one.before]}`,
      ARM_LABELS[one.arm],
      ...[one.ranking, one.rankingAmongPublicPassing, one.demoted, one.brier].map((estimate) =>
        estimate ? showDifference(estimate) : undefined,
      ),
    ]),
    note: "Paired per task. A Brier score is better when it is lower.",
  };
}

export function recoverabilityTable({ recoverability }: ExperimentSummary): ReportTable {
  return {
    id: "recoverability",
    title: "One-step recoverability: of the states before a turn, % solved in that turn",
    columns: [left("generator"), left("turn"), right("states"), right("solved"), left("by seed")],
    rows: recoverability.map(({ arm, turnIndex, states, share, perSeed }) => [
      ARM_LABELS[arm],
      String(turnIndex + 1),
      states,
      percent(share),
      showSeeds(perSeed, percent),
    ]),
    note: "Sampled rollouts of the training tasks; of trained arms, by the generator of their first iteration. Later turns are reached by the tasks that were not solved before, so that a lower share is no loss of skill by itself. No intervals: states of a task depend on each other.",
  };
}

export function costTables({ costs }: ExperimentSummary): ReportTable[] {
  if (costs.arms.length === 0) return [];
  const rows = [
    ...costs.arms.map(({ arm, ...cost }) => ({ label: ARM_LABELS[arm], ...cost })),
    { label: "really spent", ...costs.spent, shared: undefined },
  ];
  const inTraining = STAGE_KINDS.filter((kind) => kind !== "evaluation");
  const counted = (count: number): string => Math.round(count).toLocaleString("en-US");
  const table = (id: string, title: string, unit: keyof Spending, note: string): ReportTable => ({
    id,
    title,
    note,
    columns: [
      left("generator"),
      ...inTraining.map((kind) => right(kind)),
      right("to train it"),
      right("evaluation"),
      right("in all"),
      right("of it shared"),
    ],
    rows: rows.map(({ label, byKind, total, shared }) => [
      label,
      ...inTraining.map((kind) => counted(byKind[kind][unit])),
      counted(total[unit] - byKind.evaluation[unit]),
      counted(byKind.evaluation[unit]),
      counted(total[unit]),
      shared && counted(shared[unit]),
    ]),
  });
  const charged =
    "All seeds together. Work that several arms share is charged to each of them in full, and once in what was really spent. Arms are evaluated by different numbers of protocols: compare what it took to train them.";
  return [
    table("cost-seconds", "Seconds of wall-clock", "seconds", charged),
    table("cost-tokens", "Tokens, sampled or trained on", "tokens", charged),
    table("cost-programs", "Programs written and graded", "programs", charged),
  ];
}
