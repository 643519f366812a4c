import {
  COLOURS,
  frame,
  legend,
  linearScale,
  tag,
  text,
  tickLabel,
  WIDTH,
  type ChartFacts,
  type Scale,
} from "./svg.ts";

export interface IntervalChart extends ChartFacts {
  readonly xLabel: string;
  /** Names of the bars of a group; one name, no legend. */
  readonly series: readonly string[];
  readonly groups: readonly {
    /** May hold a line break. */
    readonly label: string;
    /** `values[seriesIndex]`; `null` where nothing is known. */
    readonly values: readonly ({ readonly mean: number; readonly low: number; readonly high: number } | null)[];
  }[];
  /** `bar` begins at 0; `point` is for differences, which may be on either side of it. */
  readonly mark: "bar" | "point";
  /** Vertical lines worth comparing with, beside 0. */
  readonly references?: readonly number[];
}

const LEFT = 290;
const RIGHT = WIDTH - 20;
const TOP = 10;

/** Horizontal bars or points with their intervals, in groups. */
export function renderIntervalChart(chart: IntervalChart): string {
  const barHeight = 15;
  const groupHeight = Math.max(32, chart.series.length * barHeight + 12);
  const bottom = TOP + chart.groups.length * groupHeight;
  const shown = chart.groups.flatMap(({ values }) => values.flatMap((value) => (value ? [value.low, value.high] : [])));
  const x = linearScale([Math.min(0, ...shown), Math.max(0, ...shown, ...(chart.references ?? []))], [LEFT, RIGHT]);
  const rows = chart.groups.flatMap(({ label, values }, group) => {
    const top = TOP + group * groupHeight + 6;
    const bars = values.map((value, series) => {
      if (value === null) return "";
      const middle = top + (groupHeight - 12) / 2 + (series + 0.5 - values.length / 2) * barHeight;
      const mark =
        chart.mark === "bar"
          ? tag("rect", { x: x(0), y: middle - 6, width: x(value.mean) - x(0), height: 12 })
          : tag("circle", { cx: x(value.mean), cy: middle, r: 4 });
      const whisker = tag("line", { class: "whisker", x1: x(value.low), x2: x(value.high), y1: middle, y2: middle });
      return tag("g", { class: `s${series % COLOURS}` }, mark + whisker);
    });
    return [rowLabel(top + (groupHeight - 12) / 2, label), ...bars];
  });
  const references = [0, ...(chart.references ?? [])].map((value, index) =>
    tag("line", {
      class: "axis",
      x1: x(value),
      x2: x(value),
      y1: TOP,
      y2: bottom,
      ...(index > 0 && { "stroke-dasharray": "3 3" }),
    }),
  );
  return finish(chart, { x, bottom, content: [...references, ...rows], names: chart.series });
}

export interface StackedChart extends ChartFacts {
  readonly xLabel: string;
  readonly series: readonly string[];
  /** `values[seriesIndex]`, not negative. */
  readonly rows: readonly { readonly label: string; readonly values: readonly number[] }[];
}

/** Horizontal bars of parts that add up. */
export function renderStackedChart(chart: StackedChart): string {
  const rowHeight = 26;
  const bottom = TOP + chart.rows.length * rowHeight;
  const sums = chart.rows.map(({ values }) => values.reduce((sum, value) => sum + value, 0));
  const x = linearScale([0, Math.max(...sums)], [LEFT, RIGHT]);
  const content = chart.rows.flatMap(({ label, values }, row) => {
    const y = TOP + row * rowHeight;
    let before = 0;
    const parts = values.map((value, series) => {
      const start = before;
      before += value;
      const look = { class: `s${series % COLOURS} part` };
      return tag("rect", { ...look, x: x(start), y: y + 4, width: x(before) - x(start), height: rowHeight - 8 });
    });
    return [rowLabel(y + rowHeight / 2, label), ...parts];
  });
  return finish(chart, { x, bottom, content, names: chart.series });
}

/** Beside the axis, its lines centred on `middle`. */
function rowLabel(middle: number, label: string): string {
  const lines = label.split("\n");
  return lines
    .map((line, index) =>
      text(LEFT - 10, middle + 4 + (index - (lines.length - 1) / 2) * 14, line, { "text-anchor": "end" }),
    )
    .join("");
}

function finish(
  chart: ChartFacts & { readonly xLabel: string },
  parts: {
    readonly x: Scale;
    readonly bottom: number;
    readonly content: readonly string[];
    readonly names: readonly string[];
  },
): string {
  const { x, bottom } = parts;
  const grid = x.ticks.map(
    (tick) =>
      tag("line", { class: "grid", x1: x(tick), x2: x(tick), y1: TOP, y2: bottom }) +
      text(x(tick), bottom + 18, tickLabel(tick), { "text-anchor": "middle" }),
  );
  const label = text((LEFT + RIGHT) / 2, bottom + 38, chart.xLabel, { "text-anchor": "middle" });
  const names = parts.names.length > 1 ? legend(parts.names, bottom + 64, "area") : { svg: "", height: 0 };
  return frame(chart, bottom + 58 + names.height, [...grid, ...parts.content, label, names.svg].join(""));
}
