/** Learning-rate schedule: linear warm-up, then a cosine down to a twentieth of the peak. */

/** Share of the peak rate that the last step has. */
export const FINAL_RATE_SHARE = 0.05;

/** The share of the peak rate at `step` (from 0) of `steps`. */
export function cosineSchedule(step: number, steps: number, warmupSteps: number): number {
  if (step < warmupSteps) return (step + 1) / warmupSteps;
  const progress = (step - warmupSteps) / Math.max(1, steps - warmupSteps);
  return FINAL_RATE_SHARE + (1 - FINAL_RATE_SHARE) * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, progress)));
}
