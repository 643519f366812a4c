import { describe, expect, it } from "vitest";
import { madeUpInfo, madeUpResults, noResults } from "../../../test/made-up-experiment.ts";
import { renderExperimentHtml } from "./html.ts";
import { linearScale } from "./svg.ts";
import { summarizeExperiment } from "./summary.ts";
import { renderExperimentText } from "./text.ts";

const html = renderExperimentHtml(summarizeExperiment(madeUpResults, madeUpInfo));
const emptyHtml = renderExperimentHtml(summarizeExperiment(noResults, madeUpInfo));

/** Names of elements that are closed in the wrong order or not at all; the page is written as XHTML. */
function unbalanced(page: string): string[] {
  const open: string[] = [];
  const wrong: string[] = [];
  const bodies = page.replace(/<!doctype html>/, "").replaceAll(/<style>[\s\S]*?<\/style>/g, "");
  for (const [, closing, name, selfClosed] of bodies.matchAll(/<(\/?)([a-z0-9]+)(?:\s[^<>]*?)?(\/?)>/g)) {
    if (selfClosed === "/") continue;
    if (closing === "") open.push(name as string);
    else if (open.pop() !== name) wrong.push(name as string);
  }
  return [...wrong, ...open];
}

describe("the page", () => {
  it("is well-formed, also without any result", () => {
    expect(unbalanced(html)).toEqual([]);
    expect(unbalanced(emptyHtml)).toEqual([]);
    expect(unbalanced("<p><b></p></b>")).not.toEqual([]);
  });

  it("fetches nothing and runs nothing", () => {
    expect(html).not.toMatch(/(?:https?:)?\/\/[\w.-]+/);
    expect(html).not.toMatch(/<script|<link|<img|<iframe|@import|url\(|\son\w+=/);
  });

  it("escapes what it was given", () => {
    expect(html).toContain("0.0.0 &lt;made-up &amp; untrue&gt;");
    expect(html).not.toContain("<made-up");
  });

  it("has no number that is not one", () => {
    expect(html).not.toMatch(/NaN|Infinity|undefined|\bnull\b/);
    expect(emptyHtml).not.toMatch(/NaN|Infinity|undefined|\bnull\b/);
  });

  it("uses every id once, and its links lead somewhere", () => {
    const ids = [...html.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id as string);
    expect(new Set(ids).size).toBe(ids.length);
    const targets = [...html.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id as string);
    expect(targets.length).toBeGreaterThan(5);
    expect(targets.filter((id) => !ids.includes(id))).toEqual([]);
  });

  it("names every picture, its columns and its rows", () => {
    const pictures = html.match(/<svg /g)?.length ?? 0;
    expect(pictures).toBeGreaterThanOrEqual(6);
    expect(html.match(/<figcaption>/g)).toHaveLength(pictures);
    expect(html.match(/<svg [^>]*role="img"[^>]*aria-labelledby="[^"]+"[^>]*><title /g)).toHaveLength(pictures);
    expect(html.match(/<caption>/g)).toHaveLength(html.match(/<table /g)?.length ?? 0);
    expect(html).not.toMatch(/<th(?! scope=)[ >]/);
  });

  it("puts the claims first, and says what was not run", () => {
    expect(html.indexOf('id="claims"')).toBeLessThan(html.indexOf('id="solve-rates"'));
    expect(emptyHtml.match(/not run<\/span>/g)).toHaveLength(5);
  });
});

describe("the text", () => {
  const text = renderExperimentText(summarizeExperiment(madeUpResults, madeUpInfo));

  it("shows measured rates beside the paper's", () => {
    const line = text.split("\n").find((one) => one.startsWith("µCode, 2 iterations") && one.includes("62.1"));
    // Greedy: 1 of 3 known tasks in the first turn, 2 in three; best of five: 3 of 4.
    expect(line).toMatch(/33\.3 \[.*66\.7 \[.*75\.0 \[.*– \/ 37\.9 \/ 51\.1/);
  });

  it("holds the same tables as the page", () => {
    for (const title of ["Methods, % solved", "Selection rules, N = 5", "Seconds of wall-clock", "recoverability"]) {
      expect(text).toContain(title);
      expect(html).toContain(title);
    }
  });
});

it("axes have round ticks that hold the data", () => {
  expect(linearScale([0.07, 0.93], [0, 100]).ticks).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  expect(linearScale([-3, 21], [0, 100]).ticks).toEqual([-5, 0, 5, 10, 15, 20, 25]);
  expect(linearScale([5, 5], [0, 10])(5)).toBe(5);
});
