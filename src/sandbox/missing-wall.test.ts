import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { PATIENT_MS } from "../../test/cpu-limits.ts";
import { ConfigError } from "../errors.ts";
import { createTrustedPython } from "./pyodide/trusted-python.ts";
import { createPyodideSandbox } from "./pyodide/pyodide-sandbox.ts";
import { createQuickjsSandbox } from "./quickjs/quickjs-sandbox.ts";
import { createTrustedQuickjs } from "./quickjs/trusted-quickjs.ts";

const runtime = process.execPath;

let directory: string | undefined;

afterEach(async () => {
  process.execPath = runtime;
  if (directory !== undefined) await rm(directory, { recursive: true, force: true });
});

/** Lets sandboxes start a runtime that ignores flags of the shell's pattern `ignored`, as Bun does, and adds `added`. */
async function startRuntime({ ignored, added }: { ignored: string; added: string }): Promise<void> {
  directory = await mkdtemp(join(tmpdir(), "mucode-runtime-"));
  const script = join(directory, "runtime");
  const keep = `for flag; do shift; case "$flag" in ${ignored}) ;; *) set -- "$@" "$flag" ;; esac; done`;
  await writeFile(script, `#!/bin/sh\n${keep}\nexec "${runtime}" ${added} "$@"\n`);
  await chmod(script, 0o755);
  process.execPath = script;
}

const limits = { cpuTimeMs: PATIENT_MS, memoryBytes: 64 * 2 ** 20 };

/** What runs one program, or one text of the judge's. */
const processes: Record<string, () => Promise<unknown>> = {
  async pyodide() {
    const sandbox = await createPyodideSandbox({ workers: 1 });
    return sandbox.run({ program: "x = 4\n", calls: ["x + 1"], limits }).finally(() => sandbox.close());
  },
  async quickjs() {
    const sandbox = await createQuickjsSandbox({ workers: 1 });
    return sandbox.run({ program: "const x = 4;\n", calls: ["x + 1"], limits }).finally(() => sandbox.close());
  },
  async "the judge's Python"() {
    const python = createTrustedPython({ source: "def step(text):\n    return text" });
    return python.call("5").finally(() => python.close());
  },
  async "the judge's QuickJS"() {
    const quickjs = createTrustedQuickjs({ source: "(text) => text" });
    return quickjs.call("5").finally(() => quickjs.close());
  },
};

const runtimes = [
  { ignored: "--permission|--experimental-permission|--allow-*|--disallow-*", added: "", wall: "permission model" },
  { ignored: "--permission|--experimental-permission|--allow-*", added: "", wall: "permission model" },
  { ignored: "--disallow-*", added: "", wall: "--disallow-code-generation-from-strings" },
  { ignored: "none", added: "--allow-fs-read=/", wall: "a part of Node's permission model" },
  { ignored: "none", added: "--allow-fs-write=/", wall: "a part of Node's permission model" },
  { ignored: "none", added: "--allow-child-process", wall: "a part of Node's permission model" },
];

describe.skipIf(process.platform === "win32").each(Object.keys(processes))("%s", (name) => {
  it.each(runtimes)("is refused by a runtime that ignores $ignored and adds $added", async ({ wall, ...how }) => {
    await startRuntime(how);
    const refused = await processes[name]!().catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ConfigError);
    expect((refused as ConfigError).message).toMatch(/ is refused: .* ignores .*; run mucode with Node/);
    expect((refused as ConfigError).fields["wall"]).toContain(wall);
  });
});
