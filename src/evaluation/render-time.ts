/** Where a run's time went. */
import { renderTable } from "./table.ts";

export interface TimeUse {
  /** Wall-clock seconds by stage. */
  readonly stages: Readonly<Record<string, number>>;
  /** Busy seconds by resource; grading overlaps sampling. */
  readonly resources: Readonly<
    Record<string, { readonly seconds: number; readonly counts: Readonly<Record<string, number>> }>
  >;
}

/** A row per resource: busy seconds, share of the wall-clock of all stages, tokens per second where tokens are counted. */
export function renderTime({ stages, resources }: TimeUse, width?: number): string {
  const wall = Object.values(stages).reduce((sum, seconds) => sum + seconds, 0);
  const rows = Object.entries(resources)
    .filter(([, { seconds }]) => seconds > 0)
    .toSorted(([, a], [, b]) => b.seconds - a.seconds)
    .map(([resource, { seconds, counts }]) => [
      resource,
      seconds.toFixed(1),
      `${Math.round((100 * seconds) / wall)} %`,
      counts["tokens"] ? Math.round(counts["tokens"] / seconds).toLocaleString("en-US") : undefined,
    ]);
  const table = renderTable({
    columns: [
      "where the time went",
      { header: "busy s", align: "right" },
      { header: "of all", align: "right" },
      { header: "tokens/s", align: "right" },
    ],
    rows,
    width,
  });
  return `${table}\n${wall.toFixed(0)} s in all; grading goes on while the model samples.`;
}
