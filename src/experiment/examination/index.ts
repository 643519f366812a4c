/**
 * A learned verifier examined on graded programs: does it rank a task's programs, can its scores be read as
 * probabilities, does it add to public tests, and how much of that is memory of its training tasks.
 *
 * Tasks are the unit throughout: an interval resamples tasks, and what several seeds say about a task is put together
 * first. A verifier of another seed is another verifier, so scores of different seeds are never compared.
 */
export { examineVerifier } from "./examine.ts";
export type { ExaminationOptions, Overfitting, SplitExamination, VerifierExamination } from "./examine.ts";
export { compareVerifiers } from "./compare.ts";
export type { VerifierDifference } from "./compare.ts";
export { CALIBRATION_BINS } from "./calibration.ts";
export type { Calibration, CalibrationExamination } from "./calibration.ts";
export type { Demotion } from "./demotion.ts";
export type { RankingExamination } from "./ranking.ts";
