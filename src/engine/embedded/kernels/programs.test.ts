/** Programs that are wrong: refused with an Error that names the command, whatever is wrong with them. */
import { fork, type ChildProcess } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import * as fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { orNever } from "../../../../test/until.ts";
import { createRandom } from "../../../random.ts";
import { allKernels, Kernels, type KernelArray } from "./addon.ts";
import { KernelProgram } from "./kernel-program.ts";
import { matrixOf, valuesOf, type Matrix, type Values } from "./matrix.ts";

const sets = allKernels();
const addonFile = fileURLToPath(
  new URL(`../../../../prebuilds/${process.platform}-${process.arch}/kernels.node`, import.meta.url),
);

type Addon = ConstructorParameters<typeof Kernels>[0];

/** What the addon is given. */
interface Call {
  readonly numbers: Float64Array;
  readonly arrays: readonly KernelArray[];
}

/** What `write` has the addon do, without doing it. */
function record(set: number, write: (program: KernelProgram) => void): Call {
  const addon = createRequire(import.meta.url)(addonFile) as Addon;
  let call: Call | undefined;
  const recorder: Addon = { ...addon, run: (_, numbers, arrays) => (call = { numbers, arrays: [...arrays] }) };
  const program = new KernelProgram(new Kernels(recorder, set));
  write(program);
  program.run();
  return call!;
}

const random = createRandom("programs");
/** Memory without a value to spare: what is beyond it is not the program's. */
const matrix = (rows: number, columns: number): Matrix =>
  matrixOf(Float32Array.from({ length: rows * columns }, random), rows, columns);
const values = (length: number): Values => valuesOf(Float32Array.from({ length }, random));
const ints = (...integers: number[]): Int32Array => Int32Array.from(integers);

const attention = {
  starts: ints(0, 3, 3, 7),
  headCount: 4,
  keyValueHeadCount: 2,
  headSize: 6,
  queries: matrix(7, 24),
  keys: matrix(7, 12),
  values: matrix(7, 12),
  attended: matrix(7, 24),
  logSums: values(28),
};
const cache = { pageCount: 4, layerCount: 2, layer: 1, keyValueHeadCount: 2, headSize: 6 };
const pages = Float32Array.from({ length: 4 * 2 * 2 * 6 * 2 * 32 }, random);
const scalars = {
  learningRate: 0.1,
  keep: 0.9,
  beta1: 0.9,
  oneMinusBeta1: 0.1,
  beta2: 0.9,
  oneMinusBeta2: 0.1,
  correction1: 1,
  correction2: 1,
  epsilon: 1e-8,
  gradientScale: 1,
};

/** Valid programs of one command each; each array of a command is one of its own, as long as it must be. */
const programs: Record<string, (program: KernelProgram) => void> = {
  gemm: (program) =>
    program.product({
      left: matrix(5, 19),
      right: matrix(19, 21),
      addend: matrix(5, 21),
      bias: values(21),
      to: matrix(5, 21),
    }),
  "gemm transposed": (program) =>
    program.product({
      left: matrix(19, 5),
      transposeLeft: true,
      right: matrix(21, 19),
      transposeRight: true,
      to: matrix(5, 21),
    }),
  "gemm packed": (program) =>
    program.product({
      left: matrix(5, 19),
      right: { packed: values(program.packedLength(21, 19)), n: 21, k: 19 },
      to: matrix(5, 21),
    }),
  pack: (program) => void program.pack(matrix(19, 21), false, values(program.packedLength(21, 19))),
  attention: (program) => program.attention(attention),
  attentionBackward: (program) =>
    program.attentionBackward(attention, {
      attended: matrix(7, 24),
      queries: matrix(7, 24),
      keys: matrix(7, 12),
      values: matrix(7, 12),
    }),
  cacheWrite: (program) =>
    program.cacheWrite({ pages, ...cache }, { data: ints(0, 127, 33) }, matrix(3, 12), matrix(3, 12)),
  decodeAttention: (program) =>
    program.decodeAttention(
      { pages, ...cache },
      {
        groupStarts: ints(0, 2, 3),
        promptPages: ints(1, 0, 3, 2),
        mostPromptPages: 2,
        promptLengths: ints(40, 64),
        ownPages: ints(0, 1, 2),
        mostOwnPages: 1,
        ownLengths: ints(1, 32, 5),
        headCount: 4,
        queries: matrix(3, 24),
        attended: matrix(3, 24),
      },
    ),
  tokenProbabilities: (program) => program.tokenProbabilities(matrix(3, 37), values(3), values(3 * 37)),
  gatherRows: (program) => program.gatherRows(matrix(6, 21), { data: ints(5, 0, 5) }, matrix(3, 21)),
  scatterAddRows: (program) => program.scatterAddRows(matrix(3, 21), { data: ints(5, 0, 5) }, matrix(6, 21)),
  rmsNorm: (program) =>
    program.rmsNorm({ x: matrix(4, 18), weight: values(6), epsilon: 1e-5, to: matrix(4, 18), inverses: values(12) }),
  rmsNormBackward: (program) =>
    program.rmsNormBackward({
      x: matrix(4, 18),
      weight: values(6),
      inverses: values(12),
      gradient: matrix(4, 18),
      to: matrix(4, 18),
      accumulate: true,
      weightGradient: values(6),
    }),
  rotate: (program) =>
    program.rotate({
      x: matrix(4, 12),
      headSize: 6,
      positions: { data: ints(0, 9, 3, 3) },
      cosine: values(30).data,
      sine: values(30).data,
      direction: 1,
    }),
  swiglu: (program) => program.swiGlu(matrix(3, 21), matrix(3, 21), matrix(3, 21)),
  swigluBackward: (program) =>
    program.swiGluBackward(matrix(3, 21), matrix(3, 21), {
      to: matrix(3, 21),
      gate: matrix(3, 21),
      up: matrix(3, 21),
    }),
  crossEntropy: (program) => program.crossEntropy(matrix(3, 37), { data: ints(36, 0, 5) }, values(3), values(3)),
  addColumnSums: (program) => program.addColumnSums(matrix(5, 21), values(21)),
  adamw: (program) =>
    program.adamW(values(21), { gradient: values(21), moment1: values(21), moment2: values(21) }, scalars),
  square: (program) => program.square(values(21), new Float64Array(1)),
  addAndSquare: (program) => program.addAndSquare(values(21), values(21), new Float64Array(1)),
  fill: (program) => program.fill(matrix(5, 21), 3),
};

const commandOf = (name: string): string => name.split(" ")[0]!;

interface Answer {
  /** The message of what was thrown. */
  readonly error?: string;
  /** Bytes written around the arrays. */
  readonly stray: number;
}

/** Runs calls in a process of its own, another one after each that did not outlive its call. */
class Runner {
  #process: ChildProcess | undefined;

  /** @throws {Error} when the process ends, or does not answer. */
  async run(set: number, call: Call): Promise<Answer> {
    this.#process ??= fork(new URL("../../../../test/kernel-runner.mjs", import.meta.url), [addonFile], {
      serialization: "advanced",
      execArgv: [],
    });
    const child = this.#process;
    try {
      const answered = new Promise<Answer>((resolve, reject) => {
        child.once("message", resolve);
        child.once("exit", (code, signal) => reject(new Error(`it has crashed: ${signal ?? code}`)));
        child.send({ set, ...call });
      });
      return await orNever(answered, "it");
    } catch (error) {
      this.close();
      throw error;
    } finally {
      child.removeAllListeners();
    }
  }

  close(): void {
    this.#process?.kill("SIGKILL");
    this.#process = undefined;
  }
}

const runner = new Runner();
afterAll(() => runner.close());

const commands = new Set(["a command", ...Object.keys(programs).map(commandOf)]);

/** Ran, or was refused in the name of a command; else how it went wrong. */
const FINE = "ran or refused";
function judge({ error, stray }: Answer): string {
  if (stray > 0) return `${stray} bytes written around the arrays`;
  return error === undefined || commands.has(error.split(": ")[0]!) ? FINE : error;
}

/** Numbers to put in the place of others. */
const oddNumbers = fc.oneof(
  fc.constantFrom(-1, 0, 1, 2, 3, 7, 16, 17, 32, 33, 64, 1000, 1025, 4096, 0.5, -0.5, 1e6, 4194304, 1e9, 1e15, 1e300),
  fc.constantFrom(2 ** 30, 2 ** 30 + 1, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 62, 2 ** 63, 2 ** 64, -(2 ** 31), -(2 ** 63)),
  fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
);
const oddIntegers = fc.constantFrom(-1, 0, 1, 2, 5, 31, 32, 33, 64, 65, 128, 1000, 2 ** 31 - 1, -(2 ** 31));

/** One thing changed in a call; places are taken modulo what there is. */
type Change =
  | { readonly kind: "number"; readonly at: number; readonly to: number }
  | { readonly kind: "by one"; readonly at: number; readonly by: number }
  | { readonly kind: "swap"; readonly at: number; readonly with: number }
  | { readonly kind: "integer"; readonly list: number; readonly at: number; readonly to: number }
  | { readonly kind: "shorter program"; readonly at: number }
  | { readonly kind: "shorter array"; readonly at: number; readonly by: number };

const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("number" as const), at: fc.nat(), to: oddNumbers }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("by one" as const), at: fc.nat(), by: fc.constantFrom(-1, 1) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("swap" as const), at: fc.nat(), with: fc.nat() }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("integer" as const), list: fc.nat(), at: fc.nat(), to: oddIntegers }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("shorter program" as const), at: fc.nat() }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("shorter array" as const), at: fc.nat(), by: fc.constantFrom(1, 7, 1e6) }),
  },
);

function apply({ numbers, arrays }: Call, changed: Change): Call {
  const at = changed.at % numbers.length;
  const which = changed.at % arrays.length;
  const replaced = <T extends KernelArray>(array: KernelArray, by: T) =>
    arrays.map((one) => (one === array ? by : one));
  switch (changed.kind) {
    case "number":
      return { numbers: numbers.with(at, changed.to), arrays };
    case "by one":
      return { numbers: numbers.with(at, numbers[at]! + changed.by), arrays };
    case "swap":
      return { numbers: numbers.with(at, numbers[changed.with % numbers.length]!), arrays };
    case "integer": {
      const lists = arrays.filter((array) => array instanceof Int32Array && array.length > 0);
      const list = lists[changed.list % lists.length] as Int32Array | undefined;
      if (list === undefined) return { numbers, arrays };
      return { numbers, arrays: replaced(list, list.with(changed.at % list.length, changed.to)) };
    }
    case "shorter program":
      return { numbers: numbers.slice(0, at + 1), arrays };
    case "shorter array": {
      const array = arrays[which]!;
      return { numbers, arrays: replaced(array, array.slice(0, Math.max(0, array.length - changed.by))) };
    }
  }
}

describe.skipIf(sets.length === 0).each(sets.map(({ name }, set) => ({ name, set })))(
  "programs of the $name kernels",
  ({ set }) => {
    const run = (call: Call) => runner.run(set, call);
    const calls = Object.entries(programs).map(([name, write]) => ({ name, call: record(set, write) }));

    it.each(calls)("run if they fit: $name", async ({ call }) => {
      expect(await run(call)).toEqual({ stray: 0 });
    });

    it.each(calls)("are refused with any array too short: $name", async ({ name, call }) => {
      for (const [which, array] of call.arrays.entries()) {
        const arrays = call.arrays.with(which, array.slice(0, -1));
        expect(await run({ ...call, arrays })).toEqual({
          error: `${commandOf(name)}: an array is too short`,
          stray: 0,
        });
      }
    });

    it.each(calls)("are refused with any array of another type: $name", async ({ name, call }) => {
      for (const [which, array] of call.arrays.entries()) {
        const Other = array instanceof Float64Array ? Float32Array : Float64Array;
        const arrays = call.arrays.with(which, new Other(array.length));
        const error = `${commandOf(name)}: an array has another type`;
        expect(await run({ ...call, arrays })).toEqual({ error, stray: 0 });
      }
    });

    it.each(calls)("are refused wherever they end early: $name", async ({ name, call }) => {
      for (let length = 1; length < call.numbers.length; length++) {
        const { error } = await run({ ...call, numbers: call.numbers.slice(0, length) });
        expect(error).toMatch(new RegExp(`^${commandOf(name)}: `));
      }
    });

    it("are refused with extents that are no extents, in the name of the command that has them", async () => {
      const { numbers, arrays } = calls.find(({ name }) => name === "gemm")!.call;
      for (const extent of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, 2 ** 62, 1e300, -(2 ** 63)]) {
        for (const at of [1, 2, 3]) {
          const { error } = await run({ numbers: numbers.with(at, extent), arrays });
          expect(error).toMatch(/^gemm: (an extent is out of range|a number is not an integer)$/);
        }
      }
    });

    it.each([-1, 20, 1e9, 0.5, Number.NaN, Number.POSITIVE_INFINITY])("have no command %d", async (number) => {
      const { numbers, arrays } = calls.find(({ name }) => name === "fill")!.call;
      const { error } = await run({ numbers: Float64Array.of(...numbers, number), arrays });
      expect(error).toMatch(/^a command: (no such command|a number is not an integer)$/);
    });

    it.each([
      ["gatherRows", [-1, 6, 2 ** 31 - 1, -(2 ** 31)]],
      ["scatterAddRows", [-1, 6, 2 ** 31 - 1]],
      ["crossEntropy", [-1, 37, -(2 ** 31)]],
      ["rotate", [-1, 10]],
      ["cacheWrite", [-1, 128]],
    ] as const)("are refused with indices beyond what they are of: %s", async (name, indices) => {
      const { numbers, arrays } = calls.find((one) => one.name === name)!.call;
      const which = arrays.findIndex((array) => array instanceof Int32Array);
      for (const index of indices) {
        const changed = arrays.with(which, (arrays[which] as Int32Array).with(2, index));
        expect(await run({ numbers, arrays: changed })).toEqual({
          error: `${name}: an index is out of range`,
          stray: 0,
        });
      }
    });

    it("are refused with lists of sequences, lengths and pages that make no sense", async () => {
      const refuse = async (changes: Record<string, unknown>, problem: string) => {
        const operands = {
          groupStarts: ints(0, 2, 3),
          promptPages: ints(1, 0, 3, 2),
          mostPromptPages: 2,
          promptLengths: ints(40, 64),
          ownPages: ints(0, 1, 2),
          mostOwnPages: 1,
          ownLengths: ints(1, 32, 5),
          headCount: 4,
          queries: matrix(3, 24),
          attended: matrix(3, 24),
          ...changes,
        };
        const call = record(set, (program) => program.decodeAttention({ pages, ...cache }, operands));
        expect(await run(call)).toEqual({ error: `decodeAttention: ${problem}`, stray: 0 });
      };
      await refuse({ groupStarts: ints(-1, 2, 3) }, "groups are not in order");
      await refuse({ groupStarts: ints(0, 4, 3) }, "groups are not in order");
      await refuse({ groupStarts: ints(-5) }, "groups are not in order");
      await refuse({ promptPages: ints(1, 4, 3, 2) }, "an index is out of range");
      await refuse({ promptPages: ints(1, 0, -1, 2) }, "an index is out of range");
      await refuse({ mostPromptPages: 0 }, "a sequence has more positions than pages");
      await refuse({ promptLengths: ints(40, 65) }, "a sequence has more positions than pages");
      await refuse({ promptLengths: ints(40, -(2 ** 31)) }, "a sequence has no such length");
      await refuse({ ownLengths: ints(1, 33, 5) }, "a sequence has more positions than pages");
      await refuse({ ownLengths: ints(1, 2 ** 31 - 1, 5) }, "a sequence has more positions than pages");
      await refuse({ ownLengths: ints(0, 32, 5) }, "a sequence has no such length");
      await refuse({ headCount: 3 }, "no such heads");
    });

    it("are refused with heads that are too long for the kernels, or do not divide", async () => {
      const refuse = async (size: number, heads: number, problem: string) => {
        const rows = (columns: number) => matrix(1, columns);
        const operands = {
          starts: ints(0, 1),
          headCount: heads,
          keyValueHeadCount: 2,
          headSize: size,
          queries: rows(heads * size),
          keys: rows(2 * size),
          values: rows(2 * size),
          attended: rows(heads * size),
          logSums: values(heads),
        };
        const call = record(set, (program) => program.attention(operands));
        expect(await run(call)).toEqual({ error: problem && `attention: ${problem}`, stray: 0 });
      };
      await refuse(1026, 2, "a head is too long");
      await refuse(16, 3, "no such heads");
      await refuse(16, 0, "an extent is out of range");
      await refuse(0, 2, "an extent is out of range");
    });

    it("take heads as long as may be", async () => {
      const operands = {
        starts: ints(0, 300),
        headCount: 1,
        keyValueHeadCount: 1,
        headSize: 1024,
        queries: matrix(300, 1024),
        keys: matrix(300, 1024),
        values: matrix(300, 1024),
        attended: matrix(300, 1024),
        logSums: values(300),
      };
      const gradients = {
        attended: matrix(300, 1024),
        queries: matrix(300, 1024),
        keys: matrix(300, 1024),
        values: matrix(300, 1024),
      };
      const call = record(set, (program) => {
        program.attention(operands);
        program.attentionBackward(operands, gradients);
      });
      expect(await run(call)).toEqual({ stray: 0 });
    });

    it("are refused with arrays that have been detached", async () => {
      const [{ buffer }, numbers] = [new Float32Array(105), calls.find(({ name }) => name === "fill")!.call.numbers];
      const array = new Float32Array(buffer);
      structuredClone(buffer, { transfer: [buffer] });
      const fill = () => createRequire(import.meta.url)(addonFile).run(set, numbers, [array]);
      expect(fill).toThrow(/^fill: an array is too short$/);
    });

    it("run or are refused, whatever is changed in them", async () => {
      // Those with lists of integers, which say where to read and write, more often.
      const isListed = ({ arrays }: Call) => arrays.some((array) => array instanceof Int32Array);
      const names = calls.flatMap(({ name, call }) => (isListed(call) ? [name, name, name] : [name]));
      const changes = fc.array(change, { minLength: 1, maxLength: 3 });
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...names), changes, async (name, all) => {
          const { call } = calls.find((one) => one.name === name)!;
          expect(judge(await run(all.reduce(apply, call)))).toBe(FINE);
        }),
        { numRuns: 2000, seed: set },
      );
    });
  },
);
