/**
 * What the charts are made of: linear axes with round ticks, escaped text, a frame that screen readers can announce.
 * Colours are CSS classes `s0`…`s7` of the page, so that one chart serves a light page, a dark one and paper.
 */

/** Width of every chart, in its own units; the page scales it. */
export const WIDTH = 720;
export const COLOURS = 8;

export interface ChartFacts {
  /** Unique within the page. */
  readonly id: string;
  readonly title: string;
  /** What can be seen, for those who cannot. */
  readonly description: string;
}

export interface Scale {
  (value: number): number;
  readonly ticks: readonly number[];
}

/** Maps [min, max], widened to round ticks, onto [from, to]. */
export function linearScale(
  domain: readonly [min: number, max: number],
  range: readonly [from: number, to: number],
): Scale {
  const [min, max] = domain[0] < domain[1] ? domain : [domain[0] - 0.5, domain[0] + 0.5];
  const step = roundStep((max - min) / 6);
  const first = Math.floor(min / step + 1e-9);
  const last = Math.ceil(max / step - 1e-9);
  // Rounded: 3 × 0.1 is not 0.3.
  const ticks = Array.from({ length: last - first + 1 }, (_, index) =>
    Number(((first + index) * step).toPrecision(12)),
  );
  const [low, high] = [ticks[0] as number, ticks.at(-1) as number];
  const scale = (value: number): number => range[0] + ((value - low) / (high - low)) * (range[1] - range[0]);
  return Object.assign(scale, { ticks });
}

/** The least of 1, 2, 5 times a power of ten that is not below. */
function roundStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  return power * ([1, 2, 5].find((factor) => factor * power >= step * (1 - 1e-9)) ?? 10);
}

export function escapeXml(raw: string): string {
  return raw.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** An element; numbers are rounded to a hundredth, `content` is markup. */
export function tag(name: string, attributes: Readonly<Record<string, string | number>>, content = ""): string {
  const written = Object.entries(attributes).map(([key, value]) => {
    return ` ${key}="${typeof value === "number" ? Number(value.toFixed(2)) : escapeXml(value)}"`;
  });
  return content === "" ? `<${name}${written.join("")}/>` : `<${name}${written.join("")}>${content}</${name}>`;
}

export function text(x: number, y: number, content: string, attributes: Readonly<Record<string, string>> = {}): string {
  return tag("text", { x, y, ...attributes }, escapeXml(content));
}

/** With a minus sign instead of a hyphen. */
export function tickLabel(tick: number): string {
  return String(tick).replace("-", "−");
}

export function frame({ id, title, description }: ChartFacts, height: number, content: string): string {
  const names =
    tag("title", { id: `${id}-title` }, escapeXml(title)) + tag("desc", { id: `${id}-desc` }, escapeXml(description));
  return tag(
    "svg",
    {
      role: "img",
      viewBox: `0 0 ${WIDTH} ${height}`,
      "aria-labelledby": `${id}-title ${id}-desc`,
    },
    names + content,
  );
}

/** Strokes tell series apart where colours do not. */
export function dashes(series: number): Readonly<Record<string, string>> {
  const pattern = ["", "6 3", "2 2", "8 3 2 3"][series % 4] as string;
  return pattern === "" ? {} : { "stroke-dasharray": pattern };
}

/** Two columns of names under a chart, `top` being the first baseline. */
export function legend(
  names: readonly string[],
  top: number,
  sample: "line" | "area",
): { svg: string; height: number } {
  const rows = Math.ceil(names.length / 2);
  const svg = names.map((name, index) => {
    const x = 60 + (index < rows ? 0 : WIDTH / 2 - 20);
    const y = top + (index % rows) * 18;
    const look = { class: `s${index % COLOURS}` };
    const mark =
      sample === "line"
        ? tag("line", { ...look, ...dashes(index), x1: x, x2: x + 24, y1: y - 4, y2: y - 4 })
        : tag("rect", { ...look, x, y: y - 10, width: 12, height: 11 });
    return mark + text(x + 30, y, name);
  });
  return { svg: svg.join(""), height: rows * 18 };
}
