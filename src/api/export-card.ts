/** The card that stands beside an exported data set: what it is of, and how it was made. */
import type { ExportConfiguration, ExportFormat } from "../config/export-schema.ts";
import type { TrainConfiguration } from "../config/schema.ts";
import { suiteFacts } from "../tasks/suite-catalog.ts";
import { checkSuiteName } from "../tasks/suites.ts";
import type { TaskSet } from "../tasks/task.ts";

export interface CardRequest {
  readonly configuration: ExportConfiguration;
  readonly iteration: number;
  readonly records: readonly Readonly<Record<string, unknown>>[];
  /** SHA-256 (hex) of the file with the records. */
  readonly fileHash: string;
  /** What the run knows its base model by: the weights' SHA-256, or a name and revision on the hub. */
  readonly baseHash: string;
  readonly training: TrainConfiguration;
  readonly trainSet: TaskSet;
}

const CONTENT: Readonly<Record<ExportFormat, string>> = {
  sft: "States (`prompt`: a conversation) with the completion to imitate (`completion`: one assistant message); the loss belongs on the completion alone.",
  preference:
    "Pairs of a right (`chosen`) and a wrong (`rejected`) program of the same task, for a Bradley-Terry reward model.",
  scored:
    "Every distinct program of a task with its outcome (`label`: whether it passes all tests) and its verdict on the public tests.",
  trajectories:
    "Whole conversations: `prompt`, `completion` (programs and feedback in turn), `reward` (1: the last program passes all tests), and reward and verdict of every turn.",
};

export function renderCard(request: CardRequest): string {
  const { configuration, iteration, records, fileHash, baseHash, training, trainSet } = request;
  const { format, method, as } = configuration;
  const licence = licenceOf(trainSet);
  const { relabel, rollout, suite, verifier } = training;
  const facts = [
    ["tasks", `suite ${trainSet.suite} ${trainSet.version}, split ${trainSet.split}, ${trainSet.tasks.length} tasks`],
    ["sha256 of the tasks", trainSet.hash],
    [
      "licence of the tasks",
      `${licence}; the programs were written by the base model, whose licence may say more about them`,
    ],
    ["method", `${method}, iteration ${iteration}`],
    ["base model", `${training.baseModel} (${baseHash})`],
    [
      "rollouts",
      `${rollout.rolloutsPerTask} per task and iteration, ${rollout.turns} turns, temperature ${rollout.temperature}`,
    ],
    ["prompt", `template ${training.prompt}`],
    ["public tests in the prompt", suite.showPublicTests ? "shown to the generator" : "hidden from the generator"],
    ...(method === "mucode"
      ? [
          [
            "relabelling",
            `rule ${relabel.rule}, scope ${relabel.scope}, ${relabel.programsPerTask} programs and ${relabel.trajectoriesPerTask} trajectories per task`,
          ],
          ["verifier", `${verifier.form}, ${verifier.loss}`],
        ]
      : [["relabelling", "none: successful trajectories alone"]]),
    ["records", `${records.length}, of ${tasksOf(records)} tasks${countsOf(format, records)}`],
    [`sha256 of train.${as}`, fileHash],
  ];
  return `---
license: ${HUB_LICENCES[licence] ?? "other"}
configs:
  - config_name: default
    data_files:
      - split: train
        path: train.${as}
---

# ${format} data of a mucode run

${CONTENT[format]}

| | |
| --- | --- |
${facts.map(([name, value]) => `| ${name} | ${value} |`).join("\n")}
`;
}

/** The hub's words for licences of suites. */
const HUB_LICENCES: Readonly<Record<string, string>> = {
  "Apache-2.0": "apache-2.0",
  MIT: "mit",
  "CC-BY-4.0": "cc-by-4.0",
};

type Records = CardRequest["records"];

function tasksOf(records: Records): number {
  return new Set(records.map((record) => record["task_id"] ?? record["task"])).size;
}

/** What the records of a format are divided into. */
function countsOf(format: ExportFormat, records: Records): string {
  const count = (key: string, value: unknown): number => records.filter((record) => record[key] === value).length;
  switch (format) {
    case "sft":
      return `: ${count("source", "expert")} relabelled states, ${count("source", "own")} of successful rollouts`;
    case "preference":
      return "";
    case "scored":
      return `: ${count("label", true)} right, ${count("label", false)} wrong`;
    case "trajectories":
      return `: ${count("reward", 1)} end in a right program`;
  }
}

function licenceOf({ suite }: TaskSet): string {
  return suiteFacts(checkSuiteName(suite)).licence;
}
