/** Tells how far a run of known stages is, and about how long it still takes. */
import type { ProgressReporter } from "../progress.ts";
import type { RunStore } from "../store/run-store.ts";
import type { StageContext } from "../store/stages.ts";

export interface TrackOptions {
  /** Names of all stages, in order. */
  readonly stages: readonly string[];
  /** Those that an earlier attempt finished. */
  readonly finished: readonly string[];
  readonly progress: ProgressReporter;
  /** Milliseconds that only go forward. Default: the clock. */
  readonly now?: () => number;
}

/**
 * The same store; each stage that is entered is told to the progress. A stage is expected to take as long as those of its
 * kind took on average (`trajectories`, `verifier`, `generator`, `evaluation`), in earlier attempts too; one of a kind that
 * was not there yet, as long as the mean of all kinds.
 */
export async function trackStages(store: RunStore, options: TrackOptions): Promise<RunStore> {
  const { stages, progress, now = () => performance.now() } = options;
  const done = new Set(options.finished);
  const known = (await store.totals()).stages;
  const seconds = new Map(Object.entries(known).filter(([name]) => done.has(name)));

  function expectedOf(name: string): number | undefined {
    const kinds = new Map<string, number[]>();
    for (const [other, spent] of seconds) kinds.set(kindOf(other), [...(kinds.get(kindOf(other)) ?? []), spent]);
    const ofKind = kinds.get(kindOf(name));
    return mean(ofKind ?? [...kinds.values()].map((spent) => mean(spent)!));
  }

  function reach(name: string): void {
    const place = stages.indexOf(name);
    if (place < 0) return;
    const thisStage = expectedOf(name);
    const later = stages.filter((other) => other !== name && !done.has(other)).map((other) => expectedOf(other) ?? 0);
    progress.reach?.({
      stage: place + 1,
      stages: stages.length,
      expected: thisStage === undefined ? null : { thisStage, later: later.reduce((sum, one) => sum + one, 0) },
    });
  }

  return {
    ...store,
    stage: <S>(name: string, work: (context: StageContext) => Promise<S>) =>
      store.stage<S>(name, async (context) => {
        const started = now();
        reach(name);
        const result = await work(context);
        done.add(name);
        // What an earlier attempt did of it took its time as well.
        seconds.set(name, (known[name] ?? 0) + (now() - started) / 1000);
        return result;
      }),
  };
}

function kindOf(stage: string): string {
  const parts = stage.split("/");
  return parts.includes("evaluation") ? "evaluation" : parts.at(-1)!;
}

function mean(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}
