/** What every table of stages from list to list shares. */
import { exactList } from "./python-operations.ts";
import { flowStage, type FlowRow, type Parameters, type Stage, type StageOptions } from "./stage.ts";

export type Numbers = readonly number[];

/** The single-digit parameter of most stages about numbers. */
export const DIGITS: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8, 9];

/** A stage from a list of ints to a list of ints, kept in the exact range. */
export function listStage(id: string, options: StageOptions, rows: readonly FlowRow<"list", "list">[]): Stage {
  const exactRows = rows.map(
    ([weight, code, apply, closed]) =>
      [weight, code, (xs: Numbers, p: Parameters) => exactList(apply(xs, p)), closed] as const,
  );
  return flowStage("list", "list", id, options, exactRows);
}
