/** The addon with the kernels: what it was built from, and which of its sets are taken. */
import { createRequire } from "node:module";
import { afterEach, describe, expect, it, vi } from "vitest";
import { sourceDigest } from "../../../../native/source-digest.mjs";
import { ConfigError } from "../../../errors.ts";
import { allKernels, findKernels } from "./addon.ts";
import { KernelProgram } from "./kernel-program.ts";
import { matrixOf } from "./matrix.ts";

const isBuiltFor = process.platform === "linux" && process.arch === "x64";
const names = allKernels().map(({ name }) => name);

describe.skipIf(!isBuiltFor)("the addon", () => {
  it("was built from the C files that are here (else: npm run build:native)", () => {
    const addon = createRequire(import.meta.url)("../../../../prebuilds/linux-x64/kernels.node");
    expect(addon.sourceDigest, "run: npm run build:native").toBe(sourceDigest());
  });

  it("refuses what are no sets, no extents and no programs", () => {
    const addon = createRequire(import.meta.url)("../../../../prebuilds/linux-x64/kernels.node");
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
    const addon = createRequire(import.meta.url)("../../../../prebuilds/linux-x64/kernels.node");
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
