/** Every verifier examined on one generator's programs, and what its loss and its training data change. */
import {
  compareVerifiers,
  examineVerifier,
  type VerifierDifference,
  type VerifierExamination,
} from "../examination/index.ts";
import type { ArmName, ExaminedPrograms, ExperimentResults, VerifierName } from "../results.ts";
import type { ExperimentInfo } from "./info.ts";
import { ARMS, VERIFIER_LABELS } from "./names.ts";

export interface ExaminedVerifier extends VerifierExamination {
  /** Who wrote the held-out programs. */
  readonly arm: ArmName;
  /** Who wrote the programs of the training tasks, on which scores are scaled; another where `arm` has none. */
  readonly trainArm: ArmName | null;
}

export interface ComparedVerifiers extends VerifierDifference {
  readonly arm: ArmName;
}

/** [before, after]: the loss, then the training data. */
const PAIRS: readonly (readonly [before: VerifierName, after: VerifierName])[] = [
  ["bce", "bradley-terry"],
  ["bradley-terry-base-data", "bradley-terry"],
];

export function examineVerifiers(results: ExperimentResults, { scoreForm }: ExperimentInfo): ExaminedVerifier[] {
  const verifiers = Object.keys(VERIFIER_LABELS) as VerifierName[];
  return verifiers.flatMap((verifier) =>
    ARMS.flatMap((arm): ExaminedVerifier[] => {
      const examined = setsOf(results, verifier, arm);
      if (!examined.some(({ split }) => split === "held-out")) return [];
      const scoresAreLogits = scoreForm !== "likelihood" || verifier === "bce";
      const trainArm = examined.find(({ split }) => split === "train")?.arm ?? null;
      return [{ arm, trainArm, ...examineVerifier(examined, { scoresAreLogits }) }];
    }),
  );
}

export function compareExamined(results: ExperimentResults): ComparedVerifiers[] {
  return PAIRS.flatMap(([before, after]) =>
    ARMS.flatMap((arm): ComparedVerifiers[] => {
      const sides = [setsOf(results, before, arm), setsOf(results, after, arm)] as const;
      if (!sides.every((side) => side.some(({ split }) => split === "held-out"))) return [];
      return [{ arm, ...compareVerifiers({ before: sides[0], after: sides[1] }) }];
    }),
  );
}

/**
 * Held-out programs by that arm, and programs of the verifier's training tasks: by the same arm where there are any,
 * otherwise by the first arm that has some.
 */
function setsOf(results: ExperimentResults, verifier: VerifierName, arm: ArmName): ExaminedPrograms[] {
  const own = results.examined.filter((one) => one.verifier === verifier);
  const train = own.filter(({ split }) => split === "train");
  const writer = [arm, ...ARMS].find((candidate) => train.some((one) => one.arm === candidate));
  return [
    ...own.filter((one) => one.split === "held-out" && one.arm === arm),
    ...train.filter((one) => one.arm === writer),
  ];
}
