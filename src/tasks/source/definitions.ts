/** What the languages share in finding definitions. */
import type { Definition } from "./grammar.ts";

const STRENGTHS: readonly Definition[] = ["whole", "method", "alias", "stub"];

/** Of several definitions of one name. */
export function bestDefinition(found: readonly Definition[]): Definition | undefined {
  return STRENGTHS.find((strength) => found.includes(strength));
}

/** A name as part of a regular expression. */
export function escapeName(name: string): string {
  return name.replace(/[^\w]/g, "\\$&");
}
