/** Keeps account of a fit: losses and tokens. */
import type { Datum } from "../engine/engine.ts";
import type { TrainingRequest, TrainingSummary } from "./trainer.ts";

/** Most points of a learning curve. */
const CURVE_POINTS = 40;

export class FitLog {
  readonly #total: number;
  readonly #onStep: TrainingRequest["onStep"];
  readonly #onPart: TrainingRequest["onPart"];
  readonly #losses: number[] = [];
  #tokens = 0;

  constructor(total: number, { onStep, onPart }: Pick<TrainingRequest, "onStep" | "onPart">) {
    this.#total = total;
    this.#onStep = onStep;
    this.#onPart = onPart;
    if (total > 0) onPart?.({ total, share: 0 });
  }

  /** For the engine's count of sequences: these `count` are the step's work between the shares `from` and `to`. */
  part(count: number, { from = 0, to = 1 } = {}): (sequences: number) => void {
    let done = 0;
    return (sequences) => {
      done += sequences;
      // Its update is still to come.
      this.#onPart?.({ total: this.#total, share: Math.min(0.99, from + ((to - from) * done) / count) });
    };
  }

  step(loss: number, batch: readonly Datum[]): void {
    this.#losses.push(loss);
    for (const datum of batch) this.#tokens += datum.tokens.length;
    this.#onStep?.({ done: this.#losses.length, total: this.#total, loss });
  }

  summary(counts: { readonly examples: number; readonly tooLong: number }): TrainingSummary {
    const tenth = Math.ceil(this.#losses.length / 10);
    return {
      steps: this.#losses.length,
      ...counts,
      tokens: this.#tokens,
      firstLoss: mean(this.#losses.slice(0, tenth)),
      lastLoss: mean(this.#losses.slice(-tenth)),
      curve: curveOf(this.#losses),
    };
  }
}

function curveOf(losses: readonly number[]): { step: number; loss: number }[] {
  const points = Math.min(CURVE_POINTS, losses.length);
  return Array.from({ length: points }, (_, index) => {
    const from = Math.floor((index * losses.length) / points);
    const step = Math.floor(((index + 1) * losses.length) / points);
    return { step, loss: mean(losses.slice(from, step))! };
  });
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}
