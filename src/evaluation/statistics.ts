/**
 * Estimates from samples of tasks. Tasks are the unit throughout: several seeds of one task are averaged first
 * ({@link averagePerTask}), because they are not independent of each other.
 */
import { createRandom, randomInteger } from "../random.ts";

/** A mean with its 95 % interval. */
export interface Estimate {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  /** Tasks that entered. */
  readonly taskCount: number;
  /** `wilson`: Wilson score interval of a proportion. `bootstrap`: percentile bootstrap over tasks. */
  readonly method: "wilson" | "bootstrap";
}

export interface BootstrapOptions {
  /** Equal seeds give equal intervals. Default 0. */
  readonly seed?: number;
  /** Default 10 000. */
  readonly resamples?: number;
}

/** A value per task; `undefined` where the infrastructure failed and nothing is known. */
export type PerTask = readonly (number | undefined)[];

/**
 * The mean over runs of each task: `values[taskIndex]` of `runs[runIndex][taskIndex]`. Unknown values are left out; a
 * task without any is `undefined`.
 * @throws RangeError when the runs differ in length.
 */
export function averagePerTask(runs: readonly PerTask[]): (number | undefined)[] {
  const taskCount = runs[0]?.length ?? 0;
  if (runs.some((run) => run.length !== taskCount)) throw new RangeError("runs of different numbers of tasks");
  return Array.from({ length: taskCount }, (_, taskIndex) => {
    const known = runs.map((run) => run[taskIndex]).filter((value) => value !== undefined);
    return known.length === 0 ? undefined : mean(known);
  });
}

/**
 * The mean over tasks with a 95 % interval: Wilson when every value is 0 or 1 (it stays honest at 0 % and 100 %, where
 * a bootstrap collapses to a point), a bootstrap over tasks otherwise.
 * @throws RangeError when no value is known.
 */
export function estimateMean(values: PerTask, options: BootstrapOptions = {}): Estimate {
  const known = values.filter((value) => value !== undefined);
  if (known.length === 0) throw new RangeError("no task to estimate from");
  if (known.every((value) => value === 0 || value === 1)) {
    const successes = known.reduce<number>((sum, value) => sum + value, 0);
    const interval = wilsonInterval({ successes, trials: known.length });
    return { mean: successes / known.length, ...interval, taskCount: known.length, method: "wilson" };
  }
  return bootstrapMean(known, options);
}

/**
 * The mean of `after − before` over tasks, with a paired percentile bootstrap: whole tasks are resampled, so what makes
 * a task easy or hard for both cancels. Tasks unknown on either side are left out.
 * @throws RangeError when the arrays differ in length or no task is known on both sides.
 */
export function estimateDifference(
  request: { readonly before: PerTask; readonly after: PerTask } & BootstrapOptions,
): Estimate {
  const { before, after } = request;
  if (before.length !== after.length) throw new RangeError(`${before.length} tasks before, ${after.length} after`);
  const differences = after.flatMap((value, taskIndex) => {
    const earlier = before[taskIndex];
    return value === undefined || earlier === undefined ? [] : [value - earlier];
  });
  if (differences.length === 0) throw new RangeError("no task to estimate from");
  return bootstrapMean(differences, request);
}

/**
 * The mean over runs and tasks with a 95 % interval for runs and tasks as a draw of more of both: what a bootstrap over
 * tasks leaves out is that other seeds would have trained other models. `values[runIndex][taskIndex]`; tasks that a run
 * does not know are left out. Variances clustered by task and by run are added and what is in both is taken off (two-way
 * clustering: Cameron, Gelbach and Miller 2011, eq. 2.6), never below the larger of the two; Student's t with one degree
 * of freedom less than runs.
 * `undefined` for fewer than two runs or tasks. @throws RangeError when the runs differ in length.
 */
export function intervalOverRuns(runs: readonly PerTask[]): { low: number; high: number } | undefined {
  const averages = averagePerTask(runs);
  const known = averages.map((_, task) => task).filter((task) => runs.every((run) => run[task] !== undefined));
  const [runCount, taskCount] = [runs.length, known.length];
  if (runCount < 2 || taskCount < 2) return undefined;
  const taskMeans = known.map((task) => averages[task] as number);
  const runMeans = runs.map((run) => mean(known.map((task) => run[task] as number)));
  const centre = mean(taskMeans);
  const squares = (values: readonly number[]): number => values.reduce((sum, value) => sum + value * value, 0);
  const byTask = squares(taskMeans.map((value) => value - centre)) / (taskCount * (taskCount - 1));
  const byRun = squares(runMeans.map((value) => value - centre)) / (runCount * (runCount - 1));
  const rest = runs.flatMap((run, runIndex) =>
    known.map((task, index) => (run[task] as number) - runMeans[runIndex]! - taskMeans[index]! + centre),
  );
  const both = squares(rest) / ((runCount - 1) * (taskCount - 1)) / (runCount * taskCount);
  const half = studentT(runCount - 1) * Math.sqrt(Math.max(byTask, byRun, byTask + byRun - both));
  return { low: centre - half, high: centre + half };
}

/** The 97.5 % quantile of Student's t: tabulated to 10 degrees of freedom, Cornish–Fisher (error below 0.003) above. */
function studentT(degrees: number): number {
  const table = [12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.306, 2.2622, 2.2281];
  const known = table[degrees - 1];
  if (known !== undefined) return known;
  const z = 1.959963984540054;
  return z + (z ** 3 + z) / (4 * degrees) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * degrees * degrees);
}

/** Wilson score interval of a proportion (Wilson 1927), 95 %. @throws RangeError unless 0 ≤ successes ≤ trials, 0 < trials. */
export function wilsonInterval(counts: { readonly successes: number; readonly trials: number }): {
  low: number;
  high: number;
} {
  const { successes, trials } = counts;
  if (!(trials > 0 && successes >= 0 && successes <= trials)) throw new RangeError(`${successes} of ${trials}`);
  const z = 1.959963984540054;
  const share = successes / trials;
  const centre = (share + (z * z) / (2 * trials)) / (1 + (z * z) / trials);
  const half =
    (z * Math.sqrt((share * (1 - share)) / trials + (z * z) / (4 * trials * trials))) / (1 + (z * z) / trials);
  // The bounds are exact at the ends; rounding must not push them past.
  return {
    low: successes === 0 ? 0 : Math.max(0, centre - half),
    high: successes === trials ? 1 : Math.min(1, centre + half),
  };
}

function bootstrapMean(values: readonly number[], options: BootstrapOptions): Estimate {
  const means = resampledMeans(values, options);
  return {
    mean: mean(values),
    low: quantile(means, 0.025),
    high: quantile(means, 0.975),
    taskCount: values.length,
    method: "bootstrap",
  };
}

/** Means of bootstrap resamples of `values`, ascending: what the intervals are quantiles of. */
export function resampledMeans(values: readonly number[], options: BootstrapOptions = {}): Float64Array {
  const { seed = 0, resamples = 10_000 } = options;
  const data = Float64Array.from(values);
  const draws = drawTasks(data.length, resamples, seed);
  const means = new Float64Array(resamples);
  let next = 0;
  for (let resample = 0; resample < resamples; resample++) {
    let sum = 0;
    for (let draw = 0; draw < data.length; draw++) sum += data[draws[next++] as number] as number;
    means[resample] = sum / data.length;
  }
  return means.toSorted();
}

/** Kept while the next bootstrap is of the same size: a report makes hundreds over the same tasks. */
let lastDraws: { readonly key: string; readonly draws: Uint32Array } | undefined;

/** Indices of the tasks of all resamples, one after the other. */
function drawTasks(taskCount: number, resamples: number, seed: number): Uint32Array {
  const key = `${taskCount} ${resamples} ${seed}`;
  if (lastDraws?.key === key) return lastDraws.draws;
  const random = createRandom("bootstrap", seed);
  const draws = new Uint32Array(taskCount * resamples);
  for (let draw = 0; draw < draws.length; draw++) draws[draw] = randomInteger(random, taskCount);
  lastDraws = { key, draws };
  return draws;
}

/** Linear interpolation between order statistics (type 7 of Hyndman and Fan). */
export function quantile(sorted: Float64Array, probability: number): number {
  const position = (sorted.length - 1) * probability;
  const below = sorted[Math.floor(position)] as number;
  const above = sorted[Math.ceil(position)] as number;
  return below + (above - below) * (position - Math.floor(position));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
