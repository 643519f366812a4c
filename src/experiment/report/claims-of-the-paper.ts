/** The paper's five comparative claims: the comparisons that decide each, and those that throw light on it. */
import type { ArmName, VerifierName } from "../results.ts";
import type { Contrast } from "./contrasts.ts";
import type { ExperimentInfo } from "./info.ts";
import {
  PAPER_BY_CANDIDATES,
  PAPER_METHODS,
  PAPER_RELABELLING,
  PAPER_RULES,
  paperDifference,
  paperDifferences,
} from "./paper.ts";
import type { Condition } from "./solve-rates.ts";

/** A comparison; positive speaks for the claim. */
export interface DescribedComparison extends Contrast {
  /** The paper's own figures, in points; `null` where it gives none. */
  readonly paper: string | null;
}

export interface DescribedClaim {
  readonly number: number;
  readonly statement: string;
  readonly deciding: readonly DescribedComparison[];
  readonly exploratory: readonly DescribedComparison[];
}

export function describeClaims({ search }: ExperimentInfo): DescribedClaim[] {
  const { candidates: n, turns: t, showPublicTests } = search;
  const greedy = (arm: ArmName, changes: Partial<Condition> = {}): Condition => ({
    arm,
    rule: "greedy",
    candidates: 1,
    turns: t,
    showPublicTests,
    verifier: null,
    ...changes,
  });
  const bestOf = (candidates: number, arm: ArmName, verifier: VerifierName = "bradley-terry"): Condition => ({
    arm,
    rule: "public-tests-then-verifier",
    candidates,
    turns: t,
    showPublicTests,
    verifier,
  });
  const byTests = (candidates: number, arm: ArmName): Condition => ({
    ...bestOf(candidates, arm),
    rule: "public-tests",
    verifier: null,
  });
  const byVerifier = (candidates: number, verifier: VerifierName): Condition => ({
    ...bestOf(candidates, "mucode", verifier),
    rule: "verifier",
  });
  const difference = (
    label: string,
    after: Condition,
    before: Condition,
    paper: string | null = null,
  ): DescribedComparison => ({
    label,
    plus: [after],
    minus: [before],
    paper,
  });
  const { base, rft, mucode } = PAPER_METHODS;
  const rules = PAPER_RULES;
  const best = `N = ${n} PT+LV, T = ${t}`;
  const hidden = { showPublicTests: false };
  const shown = { showPublicTests: true };

  return [
    {
      number: 1,
      statement: "µCode beats multi-turn rejection fine-tuning.",
      deciding: [
        difference(
          `µCode − RFT: greedy, T = ${t}`,
          greedy("mucode"),
          greedy("rft"),
          paperDifferences(mucode.multiTurn, rft.multiTurn),
        ),
      ],
      exploratory: [
        difference(
          `µCode − RFT: ${best}`,
          bestOf(n, "mucode"),
          bestOf(n, "rft"),
          paperDifferences(mucode.bestOf5, rft.bestOf5),
        ),
        difference(
          `µCode − RFT of as many optimiser steps: greedy, T = ${t}`,
          greedy("mucode"),
          greedy("rft-equal-steps"),
        ),
        difference(
          `µCode − RFT of as many optimiser steps: ${best}`,
          bestOf(n, "mucode"),
          bestOf(n, "rft-equal-steps"),
        ),
        difference(
          `µCode − base model: greedy, T = ${t}`,
          greedy("mucode"),
          greedy("base"),
          paperDifferences(mucode.multiTurn, base.multiTurn),
        ),
        difference(`µCode, 2 iterations − 1 iteration: greedy, T = ${t}`, greedy("mucode"), greedy("mucode-1")),
      ],
    },
    {
      number: 2,
      statement: "A learned verifier adds to the public tests.",
      deciding: [
        difference(
          `PT+LV − PT: µCode, N = ${n}, T = ${t}`,
          bestOf(n, "mucode"),
          byTests(n, "mucode"),
          [
            paperDifference(
              rules["public-tests-then-verifier"]["1B MBPP"],
              rules["public-tests"]["1B MBPP"],
              "1B MBPP",
            ),
            paperDifference(
              rules["public-tests-then-verifier"]["1B HumanEval"],
              rules["public-tests"]["1B HumanEval"],
              "1B HumanEval",
            ),
          ].join(", "),
        ),
      ],
      exploratory: [
        difference(`PT+LV − PT: base model, N = ${n}, T = ${t}`, bestOf(n, "base"), byTests(n, "base")),
        difference(`PT+LV − PT: RFT, N = ${n}, T = ${t}`, bestOf(n, "rft"), byTests(n, "rft")),
        difference(`PT+LV − PT: µCode, N = 11, T = ${t}`, bestOf(11, "mucode"), byTests(11, "mucode")),
      ],
    },
    {
      number: 3,
      statement: "More candidates help, and more turns help.",
      deciding: [
        difference(
          `N = 11 PT+LV − N = 1: µCode, T = ${t}`,
          bestOf(11, "mucode"),
          greedy("mucode"),
          paperDifference(PAPER_BY_CANDIDATES[11] ?? NaN, PAPER_BY_CANDIDATES[1] ?? NaN, "1B MBPP"),
        ),
        difference(
          "T = 6 − T = 1: µCode, greedy, tests hidden",
          greedy("mucode", { turns: 6, ...hidden }),
          greedy("mucode", { turns: 1, ...hidden }),
        ),
      ],
      exploratory: [
        difference(
          "T = 6 − T = 1: µCode, greedy, tests shown",
          greedy("mucode", { turns: 6, ...shown }),
          greedy("mucode", { turns: 1, ...shown }),
        ),
        {
          label: "gain of T = 6 over T = 1, tests hidden − shown: µCode, greedy",
          plus: [greedy("mucode", { turns: 6, ...hidden }), greedy("mucode", { turns: 1, ...shown })],
          minus: [greedy("mucode", { turns: 1, ...hidden }), greedy("mucode", { turns: 6, ...shown })],
          paper: null,
        },
      ],
    },
    {
      number: 4,
      statement: "Relabelling by outcome and verifier together beats relabelling by either alone.",
      deciding: [
        difference(
          `both − outcome alone: ${best}`,
          bestOf(n, "mucode"),
          bestOf(n, "mucode-outcome"),
          paperDifference(PAPER_RELABELLING.both, PAPER_RELABELLING.outcome, "1B MBPP"),
        ),
        difference(
          `both − verifier alone: ${best}`,
          bestOf(n, "mucode"),
          bestOf(n, "mucode-verifier"),
          paperDifference(PAPER_RELABELLING.both, PAPER_RELABELLING.verifier, "1B MBPP"),
        ),
      ],
      exploratory: [
        difference(`both − outcome alone: greedy, T = ${t}`, greedy("mucode"), greedy("mucode-outcome")),
        difference(`both − verifier alone: greedy, T = ${t}`, greedy("mucode"), greedy("mucode-verifier")),
      ],
    },
    {
      number: 5,
      statement: "A verifier trained by Bradley–Terry beats one trained by BCE.",
      deciding: [
        difference(
          `Bradley–Terry − BCE: µCode's candidates, N = 11 PT+LV, T = ${t}`,
          bestOf(11, "mucode"),
          bestOf(11, "mucode", "bce"),
        ),
      ],
      exploratory: [
        difference(`Bradley–Terry − BCE: µCode's candidates, ${best}`, bestOf(n, "mucode"), bestOf(n, "mucode", "bce")),
        difference(
          `Bradley–Terry − BCE: µCode's candidates, N = ${n} LV, T = ${t}`,
          byVerifier(n, "bradley-terry"),
          byVerifier(n, "bce"),
        ),
        difference(
          `Bradley–Terry − BCE: µCode's candidates, N = 11 LV, T = ${t}`,
          byVerifier(11, "bradley-terry"),
          byVerifier(11, "bce"),
        ),
        difference(
          `µCode trained with Bradley–Terry − with BCE: greedy, T = ${t}`,
          greedy("mucode"),
          greedy("mucode-bce"),
        ),
      ],
    },
  ];
}
