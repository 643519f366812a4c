import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { refusalOf } from "./supported-runtime.ts";

const { engines } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  engines: { node: string };
};

it.each([
  [{ node: "20.0.0" }],
  [{ node: "24.1.0" }],
  [{ node: "100.0.0" }],
  // What is missing there, the sandboxes find out.
  [{ node: "24.3.0", bun: "1.4.5" }],
])("takes %j", (versions) => {
  expect(refusalOf(versions)).toBeUndefined();
});

it.each([
  [{ node: "18.20.8" }, "mucode needs Node 20 or newer (https://nodejs.org); this is Node 18.20.8."],
  [{ node: "8.0.0" }, "mucode needs Node 20 or newer (https://nodejs.org); this is Node 8.0.0."],
  [
    { node: "24.2.0", deno: "2.9.6" },
    "mucode needs Node 20 or newer (https://nodejs.org) and does not run under Deno; this is Deno 2.9.6.",
  ],
])("refuses %j in one sentence", (versions, sentence) => {
  expect(refusalOf(versions)).toBe(sentence);
});

it("begins where the package's engines do", () => {
  const oldest = Number(/^>=(\d+)$/.exec(engines.node)![1]);
  expect(refusalOf({ node: `${oldest}.0.0` })).toBeUndefined();
  expect(refusalOf({ node: `${oldest - 1}.99.0` })).toContain(`Node ${oldest} or newer`);
});
