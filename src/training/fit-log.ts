/** Keeps account of a fit: losses and tokens. */
import type { Datum } from "../engine/engine.ts";
import type { TrainingRequest, TrainingSummary } from "./trainer.ts";

/** Most points of a learning curve. */
const CURVE_POINTS = 40;

export class FitLog {
  readonly #total: number;
  readonly #onStep: TrainingRequest["onStep"];
  readonly #losses: number[] = [];
  #tokens = 0;

  constructor(total: number, onStep: TrainingRequest["onStep"]) {
    this.#total = total;
    this.#onStep = onStep;
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
