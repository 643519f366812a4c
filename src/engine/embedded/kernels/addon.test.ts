/** The addon with the kernels: what it was built from, and which of its sets are taken. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, describe, expect, it, vi } from "vitest";
import { sourceDigest } from "../../../../native/source-digest.mjs";
import { ConfigError } from "../../../errors.ts";
import { allKernels, commandTimes, findKernels, profileKernels, type Kernels } from "./addon.ts";
import { KernelProgram } from "./kernel-program.ts";
import { matrixOf } from "./matrix.ts";

const isBuiltFor = process.platform === "linux" && process.arch === "x64";
const names = allKernels().map(({ name }) => name);
const addonFile = fileURLToPath(new URL("../../../../prebuilds/linux-x64/kernels.node", import.meta.url));
const openAddon = () => createRequire(import.meta.url)(addonFile);

describe.skipIf(!isBuiltFor)("the addon", () => {
  it("was built from the C files that are here (else: npm run build:native)", () => {
    const addon = openAddon();
    expect(addon.sourceDigest, "run: npm run build:native").toBe(sourceDigest());
  });

  it("refuses what are no sets, no extents and no programs", () => {
    const addon = openAddon();
    const [program, array] = [new Float64Array(), new Float32Array(4)];
    const expected = /^expected a kernel set/;
    for (const wrong of [[], [0], [99, program, []], [-1, program, []], [0, array, []], [0, program, {}]]) {
      expect(() => addon.run(...wrong)).toThrow(expected);
    }
    for (const element of [undefined, null, 3, {}, new ArrayBuffer(8), new DataView(new ArrayBuffer(8))]) {
      expect(() => addon.run(0, program, [array, element])).toThrow(expected);
    }
    for (const wrong of [[], [0, 4], [99, 4, 4], [0, -1, 4], [0, 4, 2 ** 31], [0, 4, 1e300], [0, "4", 4]]) {
      expect(() => addon.packedLength(...wrong)).toThrow(expected);
    }
    expect(() => addon.run(0, program, [], new Float64Array(1))).toThrow(/^expected a Float64Array/);
    expect(() => addon.run(0, program, [])).not.toThrow();
  });

  it("does not read arrays that a list detaches while it is read", () => {
    const addon = openAddon();
    const first = new Float32Array(1 << 20);
    const second = new Float32Array(4);
    const detaching = [first, second];
    Object.defineProperty(detaching, 1, {
      get: () => {
        structuredClone(first.buffer, { transfer: [first.buffer] });
        return second;
      },
    });
    // fill 1 row of 2^20 with 3, in the first array
    const program = Float64Array.of(addon.commands.indexOf("fill"), 1, 1 << 20, 3, 1 << 20, 0, 0);
    expect(() => addon.run(0, program, detaching)).toThrow(/^fill: an array is too short$/);
  });
});

describe.skipIf(!isBuiltFor)("a process", () => {
  it("may load the addon in several threads at once", async () => {
    const program = `
      const { Worker, isMainThread, parentPort } = require("node:worker_threads");
      if (isMainThread) {
        for (let i = 0; i < 4; i++) {
          new Worker(__filename).on("message", (found) => console.log(JSON.stringify(found)));
        }
      } else {
        const addon = require(${JSON.stringify(addonFile)});
        const values = new Float32Array(3);
        addon.run(0, Float64Array.of(addon.commands.indexOf("fill"), 1, 3, 7, 3, 0, 0), [values]);
        parentPort.postMessage({ sets: addon.sets, values: [...values] });
      }`;
    const file = join(await mkdtemp(join(tmpdir(), "mucode-threads-")), "threads.cjs");
    await writeFile(file, program);
    const { stdout } = await promisify(execFile)(process.execPath, [file]);
    await rm(dirname(file), { recursive: true });
    const found = stdout.trim().split("\n");
    expect(found.map((line) => JSON.parse(line))).toEqual(
      Array.from({ length: 4 }, () => ({ sets: names, values: [7, 7, 7] })),
    );
  });

  it("may ask what commands take", () => {
    profileKernels();
    const [kernels] = allKernels() as [Kernels];
    const program = new KernelProgram(kernels);
    const matrix = (rows: number, columns: number) => matrixOf(new Float32Array(rows * columns), rows, columns);
    const to = matrix(3, 5);
    program.product({ left: matrix(3, 4), right: matrix(4, 5), to });
    program.fill(to, 1);
    program.run();
    program.run();
    const times = new Map(commandTimes().map(({ command, ...time }) => [command, time]));
    expect(times.get("gemm")).toEqual({ seconds: expect.any(Number), flops: 2 * (2 * 3 * 4 * 5) });
    expect(times.get("gemm")!.seconds).toBeGreaterThan(0);
    expect(times.get("fill")!.flops).toBe(0);
    expect(times.get("pack")).toEqual({ seconds: 0, flops: 0 });
  });
});

describe("MUCODE_KERNELS", () => {
  afterEach(() => vi.unstubAllEnvs());

  it("takes the fastest kernels there are if it is empty", () => {
    vi.stubEnv("MUCODE_KERNELS", "");
    expect(findKernels()?.name).toBe(names[0]);
  });

  it("takes none if it is onnxruntime", () => {
    vi.stubEnv("MUCODE_KERNELS", "onnxruntime");
    expect(findKernels()).toBeUndefined();
  });

  it.skipIf(names.length === 0).each(names)("takes the kernels that it names: %s", (name) => {
    vi.stubEnv("MUCODE_KERNELS", name);
    const kernels = findKernels()!;
    expect(kernels.name).toBe(name);
    const program = new KernelProgram(kernels);
    const to = matrixOf(new Float32Array(2), 1, 2);
    program.product({ left: matrixOf(Float32Array.of(3), 1, 1), right: matrixOf(Float32Array.of(2, 5), 1, 2), to });
    program.run();
    expect(Array.from(to.data)).toEqual([6, 15]);
  });

  it("is refused with the choices there are if it names none of them", () => {
    vi.stubEnv("MUCODE_KERNELS", "sse9");
    expect(findKernels).toThrow(ConfigError);
    expect(findKernels).toThrow(
      `MUCODE_KERNELS is sse9; expected one of ${[...names, "onnxruntime"].join(", ")}, or nothing`,
    );
  });
});
