import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { runCommand } from "./command.ts";

it("the training example runs as it stands", async () => {
  const directory = await mkdtemp(join(tmpdir(), "mucode-example-"));
  try {
    const { exitCode, stdout, stderr } = await runCommand([join(directory, "run")], { script: "examples/train.mjs" });
    expect(stderr).toContain("finished: evaluation of µCode");
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/µCode +public-tests-then-verifier +\d+ %/);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

it("the solving example runs as it stands", async () => {
  const { exitCode, stdout, stderr } = await runCommand([], { script: "examples/solve.mjs" });
  expect(exitCode).toBe(0);
  expect(stderr).toMatch(/^turn 1: candidate \d/m);
  expect(stdout).toMatch(/^def get_list\(xs\):\n/);
});
