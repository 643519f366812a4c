/** A plan of a run for people: every stage in order, then what it needs. */
import type { PlannedAction, PlannedTasks } from "../api/plan-actions.ts";
import type { RunNeeds } from "../api/plan-needs.ts";
import type { RunPlan } from "../api/plan-run.ts";
import { bytesText } from "../bytes-text.ts";
import { joinWords } from "../config/words.ts";

export function renderPlan({ run, tasks, stages, needs }: RunPlan): string {
  const open = stages.filter(({ finished }) => !finished).length;
  return [
    `${run}: ${stages.length} stages, ${stages.length - open} of them finished. Nothing is written or started.`,
    tasks.map(renderTasks).join("\n"),
    ...stages.map(({ name, finished, actions }, index) =>
      [
        `${index + 1}. ${name}${finished ? " (finished)" : ""}`,
        ...(finished ? [] : actions.map((action) => `   ${renderAction(action)}`)),
      ].join("\n"),
    ),
    renderNeeds(needs),
  ].join("\n\n");
}

function renderTasks({ suite, split, count, missing, notes = [] }: PlannedTasks): string {
  return [
    `${suite}, ${split}: ${count} tasks`,
    ...(missing === undefined ? [] : [`  missing: ${missing}`]),
    ...notes.map((note) => `  note: ${note}`),
  ].join("\n");
}

function renderAction(action: PlannedAction): string {
  switch (action.kind) {
    case "write":
      return `write ${action.file}`;
    case "download":
      return `fetch ${action.what} into ${action.to}`;
    case "stop":
      return `stop  the servers of the ${action.role}`;
    case "use":
      return `${action.purpose === "train" ? "train" : "use  "} ${action.what}`;
    case "run": {
      const variables = Object.entries(action.environment).map(([name, value]) => `${name}=${value}`);
      const words = joinWords([...variables, ...action.command]);
      return `${action.purpose === "train" ? "run  " : "start"} ${words}\n         log: ${action.logFile}`;
    }
  }
}

function renderNeeds({ parameters, training, serving, disk, unknown }: RunNeeds): string {
  const total = disk.reduce((sum, { bytes }) => sum + bytes, 0);
  return [
    `Needs${parameters === null ? "" : `, for ${parameters.toLocaleString("en")} parameters`} (upper bounds):`,
    ...training.map(
      ({ role, adapter, weights, processes, bytesPerProcess }) =>
        `  memory, training the ${role}: ${bytesText(bytesPerProcess)} on each of ${processes} ${processes === 1 ? "device" : "devices"} for ` +
        `${adapter ? `the frozen weights in ${weights}; the adapter` : "weights, gradients and the optimizer's state in float32"}; activations come on top`,
    ),
    ...serving.map(
      ({ role, replicas, devicesPerReplica, bytesPerDevice }) =>
        `  memory, serving the ${role}: ${bytesText(bytesPerDevice)} on each of ${replicas * devicesPerReplica} devices for the weights in bf16; ` +
        "the cache takes what the server gives it",
    ),
    ...disk.map(({ what, bytes }) => `  disk: ${bytesText(bytes)} for ${what}`),
    ...(disk.length === 0 ? [] : [`  disk in all: ${bytesText(total)}, and the trainer's own files while it works`]),
    ...unknown.map((what) => `  not computed: ${what}`),
  ].join("\n");
}
