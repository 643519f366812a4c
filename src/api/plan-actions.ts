/** What a stage would do outside this process, and to its files: the words of a plan. */

export type ModelRole = "generator" | "verifier";

export type PlannedAction =
  /** From the hub, into the cache of its tools. */
  | { readonly kind: "download"; readonly what: string; readonly to: string }
  /** Appended or made anew. */
  | { readonly kind: "write"; readonly file: string }
  /** A program is run to its end (`train`), or for as long as the model is in use (`serve`). No shell reads the words. */
  | {
      readonly kind: "run";
      readonly purpose: "train" | "serve";
      readonly role: ModelRole;
      readonly command: readonly string[];
      /** Added to the environment. */
      readonly environment: Readonly<Record<string, string>>;
      readonly logFile: string;
    }
  /** Servers of this role and checkpoint are no longer needed. */
  | { readonly kind: "stop"; readonly role: ModelRole }
  /** Done here, by the embedded engine or by servers of others. */
  | { readonly kind: "use"; readonly purpose: "train" | "serve"; readonly role: ModelRole; readonly what: string };

export interface PlannedStage {
  readonly name: string;
  /** An earlier attempt did it: its result is taken, nothing is run. */
  readonly finished: boolean;
  /** In order. */
  readonly actions: readonly PlannedAction[];
}

export interface PlannedTasks {
  readonly suite: string;
  readonly split: string;
  /** Of the files where they are here, else as the suite is documented. */
  readonly count: number;
  /** Why the run could not be started now, and what to do: files that are not here. */
  readonly missing?: string;
  /** What a reader should know about these tasks; absent where there is nothing. */
  readonly notes?: readonly string[];
}
