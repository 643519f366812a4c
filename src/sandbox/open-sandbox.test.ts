import { describe, expect, test } from "vitest";
import { PATIENT_MS } from "../../test/cpu-limits.ts";
import { ConfigError } from "../errors.ts";
import { probeNativeSandbox } from "./native/probe.ts";
import { openSandbox } from "./open-sandbox.ts";

const probe = await probeNativeSandbox();
const limits = { cpuTimeMs: PATIENT_MS, memoryBytes: 64 * 2 ** 20 };
const MISSING = "python3-that-is-not-there";

describe("choosing a sandbox", () => {
  test("auto takes the one that can be trusted here, and says why", async () => {
    const { sandbox, why } = await openSandbox({ kind: "auto", workers: 1 });
    const taken = probe.available ? "native" : "pyodide";
    expect(sandbox.version.startsWith(`${taken}-`)).toBe(true);
    expect(why).toContain(
      probe.available ? `native sandbox (Python ${probe.python}, ${probe.mechanism}` : probe.reason,
    );
    expect(await sandbox.run({ program: "x = 4\n", calls: ["x + 1"], limits })).toMatchObject({
      kind: "finished",
      calls: [{ shown: "5" }],
    });
    await sandbox.close();
  });

  test("pyodide is taken when asked for", async () => {
    const { sandbox, why } = await openSandbox({ kind: "pyodide", workers: 1 });
    expect(sandbox.version).toMatch(/^pyodide-/);
    expect(why).toContain("as asked");
    await sandbox.close();
  });

  test.skipIf(!probe.available)("native is taken when asked for", async () => {
    const { sandbox, why } = await openSandbox({ kind: "native", workers: 1 });
    expect([sandbox.version.slice(0, 7), sandbox.concurrency]).toEqual(["native-", 1]);
    expect(why).toContain("as asked");
    await sandbox.close();
  });

  test("an unknown kind is refused with the known ones", async () => {
    await expect(openSandbox({ kind: "subprocess" as "auto" })).rejects.toThrow(
      'sandbox: "subprocess" is unknown; use one of auto, native, pyodide',
    );
  });
});

describe("choosing a sandbox where there is no Python", () => {
  test("auto takes pyodide and says what is missing", async () => {
    const { sandbox, why } = await openSandbox({ kind: "auto", workers: 1, python: MISSING });
    expect(sandbox.version).toMatch(/^pyodide-/);
    expect(why).toMatch(/^Programs run in the pyodide sandbox, because the native one cannot be used here: /);
    expect(why).toMatch(/python3-that-is-not-there is not installed|it needs Linux/);
    await sandbox.close();
  });

  test("native is a mistake of the user's, with the reason and what to do", async () => {
    const attempt = openSandbox({ kind: "native", python: MISSING });
    await expect(attempt).rejects.toBeInstanceOf(ConfigError);
    await expect(attempt).rejects.toThrow(/^sandbox: "native" cannot be used here: .*Use "pyodide"/);
  });
});
