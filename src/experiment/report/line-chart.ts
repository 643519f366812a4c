import { COLOURS, dashes, frame, legend, linearScale, tag, text, tickLabel, WIDTH, type ChartFacts } from "./svg.ts";

export interface Point {
  readonly x: number;
  readonly y: number;
  /** An interval, drawn as a band. */
  readonly low?: number;
  readonly high?: number;
}

export interface LineChart extends ChartFacts {
  readonly xLabel: string;
  readonly yLabel: string;
  /** Several lines of a series look the same: one per seed, say. */
  readonly series: readonly { readonly name: string; readonly lines: readonly (readonly Point[])[] }[];
  /** At least this much is shown; default: the data. */
  readonly xRange?: readonly [number, number];
  readonly yRange?: readonly [number, number];
  /** Draws y = x. */
  readonly diagonal?: boolean;
}

/** Lines with bands, marked points and a legend. */
export function renderLineChart(chart: LineChart): string {
  const points = chart.series.flatMap(({ lines }) => lines.flat());
  const [left, right, top, bottom] = [60, WIDTH - 15, 12, 290];
  const xs = points.map(({ x }) => x).concat(chart.xRange ?? []);
  const ys = points.flatMap(({ y, low = y, high = y }) => [low, high]).concat(chart.yRange ?? []);
  const x = linearScale(extent(xs), [left, right]);
  const y = linearScale(extent(ys), [bottom, top]);
  const axes = [
    ...y.ticks.map(
      (tick) =>
        tag("line", { class: "grid", x1: left, x2: right, y1: y(tick), y2: y(tick) }) +
        text(left - 8, y(tick) + 4, tickLabel(tick), { "text-anchor": "end" }),
    ),
    ...x.ticks.map((tick) => text(x(tick), bottom + 18, tickLabel(tick), { "text-anchor": "middle" })),
    tag("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom }),
    text((left + right) / 2, bottom + 38, chart.xLabel, { "text-anchor": "middle" }),
    text(0, 0, chart.yLabel, { "text-anchor": "middle", transform: `translate(14 ${(top + bottom) / 2}) rotate(-90)` }),
  ];
  const diagonal = chart.diagonal
    ? [tag("line", { class: "axis", "stroke-dasharray": "3 3", x1: x(0), y1: y(0), x2: x(1), y2: y(1) })]
    : [];
  const drawn = chart.series.flatMap(({ lines }, series) =>
    lines.map((line) => {
      const path = line.map((point) => `${x(point.x).toFixed(1)},${y(point.y).toFixed(1)}`).join(" ");
      const marks =
        line.length > 12 ? [] : line.map((point) => tag("circle", { cx: x(point.x), cy: y(point.y), r: 3 }));
      const shapes = [band(line, x, y), tag("polyline", { points: path, fill: "none", ...dashes(series) }), ...marks];
      return tag("g", { class: `s${series % COLOURS}` }, shapes.join(""));
    }),
  );
  const names = legend(
    chart.series.map(({ name }) => name),
    bottom + 64,
    "line",
  );
  return frame(chart, bottom + 60 + names.height, [...axes, ...diagonal, ...drawn, names.svg].join(""));
}

function band(line: readonly Point[], x: (value: number) => number, y: (value: number) => number): string {
  const known = line.filter(({ low, high }) => low !== undefined && high !== undefined);
  if (known.length === 0) return "";
  const upper = known.map((point) => `${x(point.x).toFixed(1)},${y(point.high as number).toFixed(1)}`);
  const lower = known.map((point) => `${x(point.x).toFixed(1)},${y(point.low as number).toFixed(1)}`);
  return tag("polygon", { class: "band", points: [...upper, ...lower.toReversed()].join(" ") });
}

function extent(values: readonly number[]): [number, number] {
  return [
    values.reduce((least, value) => Math.min(least, value), Infinity),
    values.reduce((most, value) => Math.max(most, value), -Infinity),
  ];
}
