/**
 * Jinja as `transformers` runs it. The interpreter trims as JavaScript does, and whatever characters a template names;
 * here it trims as Python does.
 */
import { Template } from "@huggingface/jinja";
import { isPythonSpace, trim, type Ends } from "./white-space.ts";

/** What the template itself raises, of a conversation that it does not know. */
export class TemplateRefusal extends Error {}

/** Gives what the template makes of the variables. */
export type RenderTemplate = (variables: Readonly<Record<string, unknown>>) => string;

/** @throws {Error} when the template cannot be parsed. */
export function compileTemplate(text: string): RenderTemplate {
  const template = new Template(text);
  rewrite(template.parsed);
  return (variables) => template.render({ ...variables, ...FUNCTIONS });
}

/** Under names that no template can write. */
const FUNCTIONS = {
  " strip": (text: unknown, characters?: unknown) => strip(text, characters, { start: true, end: true }),
  " lstrip": (text: unknown, characters?: unknown) => strip(text, characters, { start: true, end: false }),
  " rstrip": (text: unknown, characters?: unknown) => strip(text, characters, { start: false, end: true }),
  " raise_exception": (message: unknown) => {
    throw new TemplateRefusal(String(message));
  },
};

/** Python's `str.strip`: of white space, or of any of the characters. */
function strip(value: unknown, characters: unknown, at: Ends): string {
  const isTaken = (character: string): boolean =>
    typeof characters === "string" ? characters.includes(character) : isPythonSpace(character);
  return trim(String(value ?? ""), at, isTaken);
}

/** As much of the syntax tree's nodes as is read here. */
interface Node {
  type?: string;
  value?: unknown;
  callee?: Node;
  args?: Node[];
  object?: Node;
  property?: Node;
  computed?: boolean;
  operand?: Node;
  filter?: Node;
}

/** Puts the functions above in place of the interpreter's own, all through the tree. */
function rewrite(tree: object): void {
  for (const [key, child] of Object.entries(tree) as [string, unknown][]) {
    if (typeof child !== "object" || child === null) continue;
    const replaced = replacement(child);
    if (replaced !== undefined) Object.assign(tree, { [key]: replaced });
    rewrite(replaced ?? child);
  }
}

function replacement({ type, callee, args = [], operand, filter }: Node): Node | undefined {
  if (type === "FilterExpression" && operand !== undefined) {
    const isTrim = filter?.value === "trim" || filter?.callee?.value === "trim";
    return isTrim ? call(" strip", [operand, ...(filter.args ?? [])]) : undefined;
  }
  if (type !== "CallExpression") return undefined;
  if (callee?.type === "Identifier" && callee.value === "raise_exception") return call(" raise_exception", args);
  const method = callee?.type === "MemberExpression" && !callee.computed ? callee.property?.value : undefined;
  const isStrip = method === "strip" || method === "lstrip" || method === "rstrip";
  return isStrip ? call(` ${method}`, [callee!.object!, ...args]) : undefined;
}

const call = (name: string, args: Node[]): Node => ({
  type: "CallExpression",
  callee: { type: "Identifier", value: name },
  args,
});
