import { describe, expect, it } from "vitest";
import { createRandom } from "../../random.ts";
import { Tape, type Value } from "./autodiff.ts";
import type { Attributes } from "./onnx-writer.ts";
import {
  adaptedLinear,
  add,
  frozenLinear,
  gatherDistinctRows,
  linear,
  mul,
  reshape,
  split,
  sumAll,
  transpose,
} from "./operators.ts";
import { floatTensor, integerTensor, openSession, runSession, type Feeds } from "./session.ts";
import {
  causalAttention,
  causalMask,
  frozenRmsNorm,
  rmsNorm,
  rotaryTables,
  rotate,
  swiGlu,
  weightedCrossEntropy,
  type QueryBlock,
} from "./transformer-operators.ts";

const random = createRandom("operators");
const uniform = (length: number): Float32Array => Float32Array.from({ length }, () => 2 * random() - 1);
const size = (shape: readonly number[]): number => shape.reduce((product, extent) => product * extent, 1);

interface Check {
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  /** The operator's outputs; the loss is a random linear form of them. */
  readonly build: (tape: Tape, inputs: Record<string, Value>) => Value[];
  readonly feeds?: Feeds;
  /** For what `build` returns being the loss itself. */
  readonly isLoss?: boolean;
}

/** The worst relative difference between the gradient and central differences, over random directions. */
async function worstGradientError({ inputs, build, feeds = {}, isLoss = false }: Check): Promise<number> {
  const tape = new Tape();
  const values = Object.fromEntries(Object.entries(inputs).map(([name, shape]) => [name, tape.input(name, shape)]));
  const outputs = build(tape, values);
  const forms = outputs.map((y) => {
    const shape = y.shape as number[];
    return isLoss ? y : sumAll(tape, mul(tape, y, tape.constant(uniform(size(shape)), shape)));
  });
  const loss = forms.reduce((a, b) => add(tape, a, b));
  const gradients = tape.gradients(loss, Object.values(values));
  tape.graph.output(loss.name, "float32", []);
  gradients.forEach((gradient) => tape.graph.output(gradient.name, "float32", gradient.shape));
  const session = await openSession(tape.graph.encode(), { threads: 1 });

  const points = Object.fromEntries(Object.entries(inputs).map(([name, shape]) => [name, uniform(size(shape))]));
  const run = async (names: string[]) => {
    const own = Object.entries(inputs).map(([name, shape]) => [name, floatTensor(points[name]!, shape)]);
    return runSession(session, { ...feeds, ...Object.fromEntries(own) }, names);
  };
  const analytic = await run(gradients.map(({ name }) => name));
  const lossAt = async (): Promise<number> => (await run([loss.name]))[loss.name]!.data[0] as number;
  let worst = 0;
  for (const [i, name] of Object.keys(inputs).entries()) {
    const gradient = analytic[gradients[i]!.name]!.data as Float32Array;
    expect(gradient.length).toBe(points[name]!.length);
    for (let repeat = 0; repeat < 3; repeat++) {
      const point = points[name]!;
      const saved = point.slice();
      const direction = uniform(point.length);
      const moved = async (distance: number): Promise<number> => {
        point.forEach((_, j) => (point[j] = saved[j]! + distance * direction[j]!));
        return lossAt();
      };
      const h = 2e-2;
      const slope =
        (8 * ((await moved(h)) - (await moved(-h))) - ((await moved(2 * h)) - (await moved(-2 * h)))) / (12 * h);
      point.set(saved);
      const expected = direction.reduce((sum, x, j) => sum + x * gradient[j]!, 0);
      worst = Math.max(worst, Math.abs(slope - expected) / (Math.abs(slope) + Math.abs(expected) + 0.1));
    }
  }
  await session.release();
  return worst;
}

const rotaryConstants = (tape: Tape, positions: number, headSize: number) => {
  const { cosine, sine } = rotaryTables({ positions, headSize, theta: 100 });
  const shape = [positions, headSize / 2];
  const negativeSine = sine.map((x) => -x);
  return {
    cosine: tape.constant(cosine, shape),
    sine: tape.constant(sine, shape),
    negativeSine: tape.constant(negativeSine, shape),
  };
};

const queryBlocks = (tape: Tape, group: number, time: number, count: number): QueryBlock[] =>
  Array.from({ length: count }, (_, block) => {
    const extent = time / count;
    const [start, end] = [block * extent, (block + 1) * extent];
    const mask = tape.constant(causalMask({ group, start, end }), [group * extent, end]);
    return { start, end, extent, rows: group * extent, mask };
  });

describe("every operator's gradient agrees with finite differences", () => {
  const indices = { rows: integerTensor(BigInt64Array.of(4n, 0n, 2n), [3]) };
  const checks: Record<string, Check> = {
    "a sum of equal shapes": { inputs: { a: [3, 4], b: [3, 4] }, build: (tape, { a, b }) => [add(tape, a!, b!)] },
    "a sum that broadcasts": { inputs: { a: [2, 3, 4], b: [3, 1] }, build: (tape, { a, b }) => [add(tape, a!, b!)] },
    "a product of equal shapes": { inputs: { a: [3, 4], b: [3, 4] }, build: (tape, { a, b }) => [mul(tape, a!, b!)] },
    "a product that broadcasts": { inputs: { a: [5, 4], b: [4] }, build: (tape, { a, b }) => [mul(tape, a!, b!)] },
    "a value used twice": { inputs: { a: [3, 4] }, build: (tape, { a }) => [mul(tape, a!, add(tape, a!, a!))] },
    "a reshape": { inputs: { a: [6, 4] }, build: (tape, { a }) => [reshape(tape, a!, [2, 3, 4])] },
    "a transposition": { inputs: { a: [2, 3, 4] }, build: (tape, { a }) => [transpose(tape, a!, [2, 0, 1])] },
    "a split": { inputs: { a: [2, 5, 3] }, build: (tape, { a }) => split(tape, a!, 1, [2, 3]) },
    "a linear map": { inputs: { a: [5, 3], b: [4, 3] }, build: (tape, { a, b }) => [linear(tape, a!, b!)] },
    "a linear map with a bias": {
      inputs: { a: [5, 3], b: [4, 3], c: [4] },
      build: (tape, { a, b, c }) => [linear(tape, a!, b!, c!)],
    },
    "a linear map with a matrix of summands": {
      inputs: { a: [5, 3], b: [4, 3], c: [5, 4] },
      build: (tape, { a, b, c }) => [linear(tape, a!, b!, c!)],
    },
    "the RMS norm": {
      inputs: { a: [4, 6], b: [6] },
      build: (tape, { a, b }) => [rmsNorm(tape, a!, b!, { epsilon: 1e-2 })],
    },
    "the RMS norm of every head with a weight that all heads share": {
      inputs: { a: [2, 3, 5, 4], b: [4] },
      build: (tape, { a, b }) => [rmsNorm(tape, a!, b!, { epsilon: 1e-2 })],
    },
    "the RMS norm with a weight that is frozen": {
      inputs: { a: [4, 6] },
      build: (tape, { a }) => [frozenRmsNorm(tape, a!, tape.constant(uniform(6), [6]), { epsilon: 1e-2 })],
    },
    "a linear map that is frozen, with a bias": {
      inputs: { x: [5, 3] },
      build: (tape, { x }) => {
        const w = tape.constant(uniform(12), [4, 3]);
        return [frozenLinear(tape, x!, w, tape.constant(uniform(4), [4]))];
      },
    },
    "a frozen linear map with a low-rank one": {
      inputs: { x: [5, 3], a: [2, 3], b: [4, 2] },
      build: (tape, { x, a, b }) => {
        const frozen = { w: tape.constant(uniform(12), [4, 3]), c: tape.constant(uniform(4), [4]) };
        return [adaptedLinear(tape, x!, frozen, { a: a!, b: b!, scale: 0.7 })];
      },
    },
    "two linear maps of one input": {
      inputs: { a: [5, 3], b: [4, 3], c: [4, 3] },
      build: (tape, { a, b, c }) => [linear(tape, a!, b!), linear(tape, a!, c!), a!],
    },
    "a choice of rows": {
      inputs: { a: [5, 3] },
      feeds: indices,
      build: (tape, { a }) => [gatherDistinctRows(tape, a!, tape.input("rows", [3], "int64"))],
    },
    SwiGLU: { inputs: { a: [4, 6], b: [4, 6] }, build: (tape, { a, b }) => [swiGlu(tape, a!, b!)] },
    "rotary positions": {
      inputs: { a: [2, 3, 5, 4] },
      build: (tape, { a }) => [rotate(tape, a!, rotaryConstants(tape, 7, 4))],
    },
    "attention in one block": {
      inputs: { q: [2, 2, 1, 4, 4], k: [2, 2, 4, 4], v: [2, 2, 4, 4] },
      build: (tape, { q, k, v }) => [causalAttention(tape, q!, k!, v!, queryBlocks(tape, 1, 4, 1))],
    },
    "grouped attention in four blocks": {
      inputs: { q: [2, 2, 3, 8, 4], k: [2, 2, 8, 4], v: [2, 2, 8, 4] },
      build: (tape, { q, k, v }) => [causalAttention(tape, q!, k!, v!, queryBlocks(tape, 3, 8, 4))],
    },
    "cross-entropy with weights of both signs": {
      inputs: { logits: [3, 5] },
      feeds: { targets: integerTensor(BigInt64Array.of(4n, 0n, 2n), [3, 1]) },
      isLoss: true,
      build: (tape, { logits }) => {
        const targets = tape.input("targets", [3, 1], "int64");
        const weights = tape.constant(Float32Array.of(1, -0.5, 2), [3, 1]);
        return [weightedCrossEntropy(tape, logits!, targets, weights).loss];
      },
    },
  };
  for (const [name, check] of Object.entries(checks)) {
    it(`of ${name}`, async () => {
      expect(await worstGradientError(check)).toBeLessThan(5e-3);
    });
  }
});

describe("forward values", () => {
  const evaluate = async (build: (tape: Tape) => Value): Promise<Float32Array> => {
    const tape = new Tape();
    const y = build(tape);
    // A session needs an input; this one is not used.
    tape.input("unused", [1]);
    tape.graph.output(y.name, "float32", y.shape);
    const session = await openSession(tape.graph.encode(), { threads: 1 });
    const outputs = await runSession(session, { unused: floatTensor(Float32Array.of(0), [1]) }, [y.name]);
    await session.release();
    return outputs[y.name]!.data as Float32Array;
  };

  it("attention in blocks equals attention worked out by hand", async () => {
    const [group, time, headSize] = [2, 4, 2];
    const [q, k, v] = [uniform(group * time * headSize), uniform(time * headSize), uniform(time * headSize)];
    const y = await evaluate((tape) =>
      causalAttention(
        tape,
        tape.constant(q, [1, 1, group, time, headSize]),
        tape.constant(k, [1, 1, time, headSize]),
        tape.constant(v, [1, 1, time, headSize]),
        queryBlocks(tape, group, time, 2),
      ),
    );
    for (let head = 0; head < group; head++) {
      for (let t = 0; t < time; t++) {
        const at = (head * time + t) * headSize;
        const scores = Array.from({ length: t + 1 }, (_, s) =>
          Math.exp((q[at]! * k[2 * s]! + q[at + 1]! * k[2 * s + 1]!) / Math.sqrt(headSize)),
        );
        const total = scores.reduce((a, b) => a + b);
        for (let j = 0; j < headSize; j++) {
          const expected = scores.reduce((sum, score, s) => sum + (score / total) * v[2 * s + j]!, 0);
          expect(y[at + j]).toBeCloseTo(expected, 5);
        }
      }
    }
  });

  it("rotary positions turn the pair (i, i + d/2) by position · θ^(−2i/d)", async () => {
    const x = uniform(3 * 4);
    const y = await evaluate((tape) => rotate(tape, tape.constant(x, [1, 1, 3, 4]), rotaryConstants(tape, 3, 4)));
    for (let t = 0; t < 3; t++) {
      for (let i = 0; i < 2; i++) {
        const angle = t / 100 ** (i / 2);
        const [a, b] = [x[4 * t + i]!, x[4 * t + i + 2]!];
        expect(y[4 * t + i]).toBeCloseTo(a * Math.cos(angle) - b * Math.sin(angle), 5);
        expect(y[4 * t + i + 2]).toBeCloseTo(b * Math.cos(angle) + a * Math.sin(angle), 5);
      }
    }
  });

  it("rotary positions of Llama 3.1 turn slow frequencies by less, fast ones as ever", () => {
    // Over 64 positions the frequencies make 64 / 2π = 10.2, 1.02 and 0.1 turns.
    const options = { positions: 3, headSize: 6, theta: 1000 };
    const scaling = { factor: 8, lowFrequencyFactor: 0.5, highFrequencyFactor: 4, originalContextLength: 64 };
    const { sine } = rotaryTables({ ...options, scaling });
    const turns = 64 / (2 * Math.PI * 10);
    const kept = (turns - 0.5) / 3.5;
    const expected = [2, (2 / 10) * ((1 - kept) / 8 + kept), 2 / 100 / 8];
    expected.forEach((angle, i) => expect(sine[2 * 3 + i]).toBeCloseTo(Math.sin(angle), 6));
  });

  it("attributes of every kind reach the runtime", async () => {
    const attributes: Attributes = { alpha: { float: 2 }, transB: 1 };
    const y = await evaluate((tape) => {
      const a = tape.constant(Float32Array.of(1, 2), [1, 2]);
      return tape.operator("Gemm", [a, a], [1, 1], attributes);
    });
    expect([...y]).toEqual([10]);
  });
});
