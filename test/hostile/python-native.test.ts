import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { findPython } from "../../src/sandbox/native/find-python.ts";
import { createNativeSandbox } from "../../src/sandbox/native/native-sandbox.ts";
import { probeNativeSandbox } from "../../src/sandbox/native/probe.ts";
import { processesWith } from "./host-watch.ts";
import { type HostileSubject, describeHostile } from "./hostile-suite.ts";
import { PYTHON_KINDS, SYSTEM_KINDS } from "./programs.ts";

const found = process.platform === "linux" ? await findPython() : { missing: "it needs Linux" };
const folder = mkdtempSync(join(tmpdir(), "mucode-python-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A path of its own tells a sandbox's processes, and whatever they forked, from all others. */
async function subject(mechanism: "landlock" | "no-files"): Promise<Omit<HostileSubject, "backend" | "kinds">> {
  const python = join(folder, mechanism);
  if ("executable" in found) symlinkSync(found.executable, python);
  const probe = await probeNativeSandbox({ python, mechanism });
  return {
    open: () => createNativeSandbox({ workers: 1, python, mechanism }),
    processes: () => processesWith(python),
    ...(probe.available ? {} : { skip: probe.reason }),
  };
}

describeHostile({ backend: "native", kinds: PYTHON_KINDS, ...(await subject("landlock")) });
describeHostile({ backend: "no-files", kinds: SYSTEM_KINDS, ...(await subject("no-files")) });
