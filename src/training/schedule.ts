/** Learning-rate schedule: linear warm-up, then a cosine down to a twentieth of the peak. */

/** The share of the peak rate at `step` (from 0) of `steps`. */
export function cosineSchedule(step: number, steps: number, warmupSteps: number): number {
  if (step < warmupSteps) return (step + 1) / warmupSteps;
  const progress = (step - warmupSteps) / Math.max(1, steps - warmupSteps);
  return 0.05 + 0.95 * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, progress)));
}
