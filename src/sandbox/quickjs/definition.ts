/**
 * The rule by which the program of a function is run, as against a whole program. Python's is the same:
 * `pyodide/definition-python.mjs`; `docs/grading.md` gives the reasons.
 */
import type { SyntaxNode } from "@lezer/common";
import { parser } from "@lezer/javascript";

export interface Units {
  /** Must run without throwing: everything up to the last statement that binds the entry point, and all functions. */
  readonly definition: string;
  /** Statements below it, each a script of its own; what one throws is passed over. */
  readonly after: readonly string[];
}

/** Longer programs run as they are: parsing them would keep the grading process busy. */
const MAX_LENGTH = 200_000;

/** The program's text in units; in each, lines have the numbers that they have in the program. */
export function unitsOf(program: string, entryPoint: string): Units {
  if (program.length > MAX_LENGTH) return { definition: program, after: [] };
  const statements = topLevelStatements(program);
  const last = statements.findLastIndex(({ node, broken }) => !broken && binds(node, entryPoint, program));
  if (last < 0) return { definition: program, after: [] };
  const first = statements.findLastIndex(({ broken }, index) => broken && index < last) + 1;
  const kept = statements.map(
    ({ node, broken }, index) =>
      (index >= first && index <= last && !isDropped(node, entryPoint, program)) ||
      (index > last && node.name === "FunctionDeclaration" && !broken),
  );
  const after = statements.filter(
    ({ node }, index) => index > last && !kept[index] && !isDropped(node, entryPoint, program),
  );
  return {
    definition: withoutExports(
      program,
      statements.filter((_, index) => kept[index]).map(({ node }) => node),
    ),
    after: after.map(({ node }) => withoutExports(program, [node]).trimEnd()),
  };
}

interface Statement {
  readonly node: SyntaxNode;
  /** Whether a part of it does not parse. */
  readonly broken: boolean;
}

function topLevelStatements(program: string): Statement[] {
  const statements: Statement[] = [];
  for (let node = parser.parse(program).topNode.firstChild; node !== null; node = node.nextSibling) {
    if (!node.name.endsWith("Comment")) statements.push({ node, broken: isBroken(node) });
  }
  return statements;
}

function isBroken(node: SyntaxNode): boolean {
  let broken = false;
  node.cursor().iterate(({ type }) => {
    broken ||= type.isError;
    return !broken;
  });
  return broken;
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

/** The program with everything but these statements blanked. Scripts export nothing: what they export is declared. */
function withoutExports(program: string, nodes: readonly SyntaxNode[]): string {
  const ranges = nodes.flatMap((node) => {
    if (node.name !== "ExportDeclaration") return [node];
    return children(node).filter(({ name }) => name.endsWith("Declaration"));
  });
  let text = "";
  let at = 0;
  for (const { from, to } of ranges) {
    text += program.slice(at, from).replace(/[^\n]/g, " ") + program.slice(from, to);
    at = to;
  }
  return text;
}
