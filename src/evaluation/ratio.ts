/** Shares whose parts come from tasks: tasks are resampled whole, because what belongs to one task hangs together. */
import { createRandom, randomInteger } from "../random.ts";
import { quantile, wilsonInterval, type BootstrapOptions, type Estimate } from "./statistics.ts";

/** One task's part in Σ numerator / Σ denominator. A mean over tasks has denominators of 1. */
export interface RatioPart {
  /** From 0 to the denominator. */
  readonly numerator: number;
  /** Not negative. */
  readonly denominator: number;
}

/**
 * Σ numerator / Σ denominator over tasks, with a 95 % percentile bootstrap over tasks; at 0 and at 1, where a bootstrap
 * collapses to a point, with a Wilson interval of as many trials as tasks. Tasks with denominator 0 say nothing and do
 * not enter. `null` where none is left.
 */
export function estimateRatio(parts: readonly RatioPart[], options: BootstrapOptions = {}): Estimate | null {
  const known = parts.filter(({ denominator }) => denominator > 0);
  if (known.length === 0) return null;
  const taskCount = known.length;
  const mean = ratioOf(known);
  if (mean === 0 || mean === 1) {
    return { mean, ...wilsonInterval({ successes: mean * taskCount, trials: taskCount }), taskCount, method: "wilson" };
  }
  const { resamples, seed } = withDefaults(options);
  const ratios = bootstrapRatios(known, resamples, ["ratio", seed]).toSorted();
  return { mean, ...bounds(ratios), taskCount, method: "bootstrap" };
}

/**
 * `of` minus `from`, two ratios over different tasks, each resampled by itself. `taskCount` counts both. `null` where
 * either is unknown.
 */
export function estimateGap(
  request: { readonly of: readonly RatioPart[]; readonly from: readonly RatioPart[] } & BootstrapOptions,
): Estimate | null {
  const { resamples, seed } = withDefaults(request);
  const [of, from] = [request.of, request.from].map((parts) => parts.filter(({ denominator }) => denominator > 0));
  if (of!.length === 0 || from!.length === 0) return null;
  const subtracted = bootstrapRatios(from!, resamples, ["gap from", seed]);
  const gaps = bootstrapRatios(of!, resamples, ["gap of", seed]).map((ratio, index) => ratio - subtracted[index]!);
  return {
    mean: ratioOf(of!) - ratioOf(from!),
    ...bounds(gaps.toSorted()),
    taskCount: of!.length + from!.length,
    method: "bootstrap",
  };
}

function bootstrapRatios(
  parts: readonly RatioPart[],
  resamples: number,
  name: readonly [string, number],
): Float64Array {
  const random = createRandom(...name);
  const numerators = Float64Array.from(parts, ({ numerator }) => numerator);
  const denominators = Float64Array.from(parts, ({ denominator }) => denominator);
  return Float64Array.from({ length: resamples }, () => {
    let [above, below] = [0, 0];
    for (let draw = 0; draw < numerators.length; draw++) {
      const task = randomInteger(random, numerators.length);
      above += numerators[task]!;
      below += denominators[task]!;
    }
    return above / below;
  });
}

function ratioOf(parts: readonly RatioPart[]): number {
  const sum = (key: keyof RatioPart): number => parts.reduce((total, part) => total + part[key], 0);
  return sum("numerator") / sum("denominator");
}

function bounds(sorted: Float64Array): { readonly low: number; readonly high: number } {
  return { low: quantile(sorted, 0.025), high: quantile(sorted, 0.975) };
}

function withDefaults({ seed = 0, resamples = 10_000 }: BootstrapOptions): Required<BootstrapOptions> {
  return { seed, resamples };
}
