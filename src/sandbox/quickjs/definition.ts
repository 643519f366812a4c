/**
 * The rule by which the program of a function is run, as against a whole program. Python's is the same:
 * `pyodide/definition-python.mjs`; `docs/grading.md` gives the reasons.
 */
import type { SyntaxNode } from "@lezer/common";
import { SourceReader } from "../../tasks/source/grammar.ts";

export interface Units {
  /** Must run without throwing: everything up to the last statement that binds the entry point, and all functions. */
  readonly definition: string;
  /** Statements below it, each a script of its own; what one throws is passed over. */
  readonly after: readonly string[];
}

/** So many statements are scripts of their own, each as long as the program up to it; those after them are one. */
const MOST_UNITS = 100;

/**
 * The program's text in units; in each, lines have the numbers that they have in the program. Of a text that does not
 * parse the lines before the error count, where they define the entry point. A text beyond the reader's bounds runs as it
 * is.
 */
export function unitsOf(program: string, entryPoint: string): Units {
  const statements = topLevelStatements(program);
  const last = statements.findLastIndex((node) => binds(node, entryPoint, program));
  if (last < 0) return { definition: program, after: [] };
  const kept = statements.filter((node) => !isDropped(node, entryPoint, program));
  const binding = statements[last]!.from;
  const isDefinition = ({ from, name }: SyntaxNode): boolean => from <= binding || name === "FunctionDeclaration";
  const below = kept.filter((node) => !isDefinition(node));
  const units = [...below.slice(0, MOST_UNITS).map((node) => [node]), below.slice(MOST_UNITS)];
  return {
    definition: withoutExports(program, kept.filter(isDefinition)),
    after: units.filter(({ length }) => length > 0).map((nodes) => withoutExports(program, nodes).trimEnd()),
  };
}

function topLevelStatements(program: string): SyntaxNode[] {
  const reader = new SourceReader("javascript");
  const root = reader.parse(program.slice(0, reader.programLength(program))).tree?.topNode;
  return root === undefined ? [] : children(root).filter(({ name }) => !name.endsWith("Comment"));
}

/** Whether a statement of the top level binds the name there; with no name, whether it defines a function or class. */
function binds(node: SyntaxNode, name: string, program: string): boolean {
  const isName = ({ from, to }: SyntaxNode): boolean => program.slice(from, to) === name;
  if (node.name === "ExportDeclaration") return children(node).some((child) => binds(child, name, program));
  if (name === "") return /^(?:Function|Class)Declaration$/.test(node.name) || children(node).some(isFunction);
  switch (node.name) {
    case "FunctionDeclaration":
    case "ClassDeclaration":
    case "VariableDeclaration":
      return definedNames(node).some(isName);
    case "ExpressionStatement": {
      const assigned = node.firstChild?.name === "AssignmentExpression" ? node.firstChild.firstChild : null;
      if (assigned?.name === "MemberExpression") {
        const [object, , property] = children(assigned);
        return isGlobalObject(object, program) && property !== undefined && isName(property);
      }
      return assigned !== null && assigned !== undefined && isName(assigned);
    }
    default:
      return false;
  }
}

function isFunction({ name }: SyntaxNode): boolean {
  return name === "ArrowFunction" || name === "FunctionExpression" || name === "ClassExpression";
}

/** Names that a declaration defines in its own scope, those in patterns included. */
function definedNames(declaration: SyntaxNode): SyntaxNode[] {
  return children(declaration).flatMap((child) => {
    if (child.name === "VariableDefinition") return [child];
    return /^(?:Object|Array)Pattern$|^PatternProperty$/.test(child.name) ? definedNames(child) : [];
  });
}

function isGlobalObject(node: SyntaxNode | undefined, program: string): boolean {
  return node !== undefined && ["globalThis", "window", "global", "this"].includes(program.slice(node.from, node.to));
}

/** Output, and a call of the entry point whose result nobody uses. */
function isDropped(node: SyntaxNode, entryPoint: string, program: string): boolean {
  const call = node.name === "ExpressionStatement" ? node.firstChild : null;
  if (call?.name !== "CallExpression") return false;
  const callee = call.firstChild;
  if (callee === null) return false;
  const text = program.slice(callee.from, callee.to);
  return text === entryPoint || /^console\s*\.\s*\w+$/.test(text);
}

function children(node: SyntaxNode): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  for (let child = node.firstChild; child !== null; child = child.nextSibling) found.push(child);
  return found;
}

/** These statements on their lines, and nothing else. Scripts export nothing: what an export declares is declared. */
function withoutExports(program: string, nodes: readonly SyntaxNode[]): string {
  const ranges = nodes.flatMap((node) => {
    if (node.name !== "ExportDeclaration") return [node];
    return children(node).filter(({ name }) => name.endsWith("Declaration"));
  });
  let text = "";
  let at = 0;
  for (const { from, to } of ranges) {
    text += program.slice(at, from).replace(/[^\n]/g, "") + program.slice(from, to);
    at = to;
  }
  return text;
}
