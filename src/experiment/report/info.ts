/** What a report says about its experiment beside the results: who ran what, when, from which files. */
import type { ScoreForm } from "../../verifier/score-forms.ts";

export interface ExperimentInfo {
  /** `paper-mini`. */
  readonly name: string;
  /** The command that makes the same experiment again. */
  readonly command: string;
  /** ISO 8601. */
  readonly finishedAt: string;
  /** Tasks trained on; none of them is held out. */
  readonly trainingTasks: number;
  /** How held-out tasks were solved wherever the report does not say otherwise. */
  readonly search: {
    /** N of best-of-N. */
    readonly candidates: number;
    /** T. */
    readonly turns: number;
    /** Whether the generator's prompt held the public tests. */
    readonly showPublicTests: boolean;
  };
  /** The verifiers' score form: likelihoods fitted by comparisons are not logits of being right. */
  readonly scoreForm: ScoreForm;
  /** Versions, hashes of the tasks and of the base checkpoint, the machine: whatever it takes to tell two reports apart. */
  readonly provenance: readonly { readonly label: string; readonly value: string }[];
  /** The resolved configuration as TOML. */
  readonly configuration: string;
}
