/** The grammar of Python. */
import type { SyntaxNode, Tree } from "@lezer/common";
import { parser } from "@lezer/python";
import type { Definition, Grammar, Statement } from "./grammar.ts";
import { blankText } from "./line-state.ts";
import { bestDefinition, escapeName } from "./definitions.ts";

export const pythonGrammar: Grammar = {
  parser: parser.configure({ strict: true }),
  // The parser does not know `1.` before an operator, nor `yield` alone.
  prepare: (text) =>
    text.replace(/(?<![\w.])(\d+)\.(?![\w.])/g, "$10").replace(/^([ \t]*)yield(?=[ \t]*$)/gm, "$1pass "),
  headOf: (text) => (/^(?:[ \t]*(?:#[^\n]*)?\n)*[ \t]+[^\s#]/.test(text) ? "def f():\n" : ""),
  errorIn: misplacedStatement,
  statement: readStatement,
  names: readNames,
  definition: findDefinition,
  definitionStart: findStart,
  builtins: new Set(
    (
      "abs all any ascii bin bool bytearray bytes callable chr complex dict dir divmod enumerate eval exec filter float " +
      "format frozenset getattr globals hasattr hash hex id input int isinstance issubclass iter len list locals map max " +
      "min next object oct open ord pow print property range repr reversed round set setattr slice sorted str sum super " +
      "tuple type vars zip self cls"
    ).split(" "),
  ),
};

/** The parser lets statements of one block be indented differently, and `return` stand outside of functions. */
function misplacedStatement(tree: Tree, text: string): number | undefined {
  let errorAt: number | undefined;
  let functions = 0;
  tree.iterate({
    enter({ name, from, node }) {
      if (name === "FunctionDefinition") functions++;
      if (name === "Script" || name === "Body" || name === "MatchBody") errorAt ??= unevenStatement(node, text);
      if (functions === 0 && (name === "ReturnStatement" || name === "YieldStatement")) errorAt ??= from;
    },
    leave({ name }) {
      if (name === "FunctionDefinition") functions--;
    },
  });
  return errorAt;
}

/** The first statement of a block with other white space before it than the first. */
function unevenStatement(block: SyntaxNode, text: string): number | undefined {
  let indent: string | undefined;
  for (let child = block.firstChild; child !== null; child = child.nextSibling) {
    const space = text.slice(text.lastIndexOf("\n", child.from - 1) + 1, child.from);
    if (child.name === "Comment" || space.trim() !== "") continue;
    indent ??= space;
    if (space !== indent) return child.from;
  }
  return undefined;
}

const DEFINITIONS = new Set(["FunctionDefinition", "ClassDefinition", "DecoratedStatement", "ImportStatement"]);

function readStatement(node: SyntaxNode, text: string): Pick<Statement, "from" | "kind" | "names"> {
  const { from } = node;
  const kind = kindOf(node);
  const names = kind === "other" || kind === "operand" ? [] : boundNames(node, text);
  return { from, kind, names };
}

function kindOf(node: SyntaxNode): Statement["kind"] {
  if (DEFINITIONS.has(node.name)) return "definition";
  // `Note: important` annotates a name to a parser.
  if (node.name === "AssignStatement") return node.getChild("AssignOp") === null ? "operand" : "assignment";
  return node.name === "ExpressionStatement" && isOperand(node) ? "operand" : "other";
}

/** Nothing in it calls, quotes or waits for anything. */
function isOperand(statement: SyntaxNode): boolean {
  let plain = true;
  statement.cursor().iterate(({ name }) => {
    if (/Call|String|Await|Yield|Named/.test(name)) plain = false;
    return plain;
  });
  return plain;
}

function boundNames(node: SyntaxNode, text: string): string[] {
  if (node.name === "DecoratedStatement") return boundNames(node.lastChild ?? node.firstChild!, text);
  const names = node.getChildren("VariableName").map(({ from, to }) => text.slice(from, to));
  if (node.name === "ImportStatement") return importedNames(node, text);
  if (node.name !== "AssignStatement") return names.slice(0, 1);
  return targets(node, text);
}

/** Names before the last `=`; in `a[i] = b.c = 1` there are none. */
function targets(node: SyntaxNode, text: string): string[] {
  const names: string[] = [];
  const operators = node.getChildren("AssignOp");
  const end = operators.at(-1)?.from ?? 0;
  node.cursor().iterate(({ name, from, to }) => {
    if (from >= end || /^(?:TypeDef|MemberExpression|CallExpression)$/.test(name)) return false;
    if (name === "VariableName") names.push(text.slice(from, to));
    return true;
  });
  return names;
}

/** `import a.b, c as d` gives `a` and `d`; `from a import b as c, d` gives `c` and `d`. */
function importedNames(node: SyntaxNode, text: string): string[] {
  const source = text.slice(node.from, node.to).replace(/#[^\n]*/g, "");
  const list = /^from\b[^]*?\bimport\b([^]*)$/.exec(source)?.[1] ?? source.replace(/^import\b/, "");
  return list
    .replace(/[()\\]/g, " ")
    .split(",")
    .map((item) => /(?:\bas\s+(\w+)\s*$)/.exec(item)?.[1] ?? /^\s*(\w+)/.exec(item)?.[1] ?? "")
    .filter((name) => name !== "");
}

/** In these a name between the two words is bound. */
const BINDING_SPANS: Readonly<Record<string, readonly [string, string]>> = {
  ForStatement: ["for", "in"],
  ArrayComprehensionExpression: ["for", "in"],
  ComprehensionExpression: ["for", "in"],
  SetComprehensionExpression: ["for", "in"],
  DictionaryComprehensionExpression: ["for", "in"],
};

function readNames(tree: Tree, text: string): { used: Set<string>; bound: Set<string> } {
  const used = new Set<string>();
  const bound = new Set<string>();
  const bind = ({ from, to }: { from: number; to: number }): unknown => bound.add(text.slice(from, to));
  tree.iterate({
    enter({ name, from, to, node }) {
      if (name === "VariableName") used.add(text.slice(from, to));
      else if (name === "FunctionDefinition" || name === "ClassDefinition") {
        node.getChildren("VariableName").slice(0, 1).forEach(bind);
      } else if (name === "AssignStatement") targets(node, text).forEach((target) => bound.add(target));
      else if (name === "ImportStatement") importedNames(node, text).forEach((imported) => bound.add(imported));
      else if (name === "NamedExpression") node.getChildren("VariableName").slice(0, 1).forEach(bind);
      else if (name === "ParamList") {
        for (const parameter of node.getChildren("VariableName")) {
          if (parameter.prevSibling?.name !== "AssignOp") bind(parameter);
        }
      } else if (/^(?:With|Try|Match)/.test(name) || name.endsWith("Pattern")) {
        for (let child = node.firstChild; child !== null; child = child.nextSibling) {
          if (child.name === "VariableName" && /^(?:as|As.*)$|Pattern/.test(child.prevSibling?.name ?? name))
            bind(child);
          if (child.prevSibling?.name === "as") bindAll(child, bind);
        }
      }
      const span = BINDING_SPANS[name];
      if (span !== undefined) bindBetween(node, span, bind);
    },
  });
  return { used, bound };
}

function bindBetween(
  node: SyntaxNode,
  [open, close]: readonly [string, string],
  bind: (node: SyntaxNode) => unknown,
): void {
  let inside = false;
  for (let child = node.firstChild; child !== null; child = child.nextSibling) {
    if (child.name === open) inside = true;
    else if (child.name === close) inside = false;
    else if (inside) bindAll(child, bind);
  }
}

function bindAll(node: SyntaxNode, bind: (node: SyntaxNode) => unknown): void {
  node.cursor().iterate((inner) => {
    if (inner.name === "VariableName") bind(inner.node);
  });
}

/** Statements that do nothing, between blanks. */
const IDLE = /^(?:\s|;|pass\b|\.\.\.|raise\s+NotImplemented(?:Error)?\b(?:\([^)]*\))?)*$/;

/** A definition at the margin; the group is what an assignment gives the name. */
function headsOf(word: string): RegExp {
  const target = `${word}[ \\t]*(?::[^=\\n]*)?=(?!=)(.*)`;
  return new RegExp(`^(?:(?:async[ \\t]+)?def[ \\t]+${word}[ \\t]*\\(|class[ \\t]+${word}\\b|${target})`, "gm");
}

function findStart(text: string, name: string): number | undefined {
  const code = blankText(text, "python");
  const [word = ""] = name.split(".").map(escapeName);
  const start = headsOf(word).exec(code)?.index;
  if (start !== undefined) return start;
  return methodsOf(code, word)[0]?.classAt;
}

function findDefinition(text: string, name: string): Definition | undefined {
  const code = blankText(text, "python");
  const [first = "", method] = name.split(".");
  const found: Definition[] = [];
  const word = escapeName(first);
  for (const match of code.matchAll(headsOf(word))) {
    if (match[1] !== undefined) {
      found.push(/^\s*\(*\s*lambda\b/.test(match[1]) ? "whole" : "alias");
    } else if (method === undefined) {
      found.push(strengthOf(text, code, match.index));
    } else {
      found.push(...methodsIn(text, code, { at: match.index, method }));
    }
  }
  if (method === undefined && !found.includes("whole")) {
    const strengths = methodsOf(code, word).map(({ at }) => strengthOf(text, code, at));
    if (strengths.length > 0) found.push(strengths.includes("whole") ? "method" : "stub");
  }
  return bestDefinition(found);
}

/** Offsets of the lines that begin a method of that name in any class, and of those that begin the class. */
function methodsOf(code: string, word: string): { readonly at: number; readonly classAt: number }[] {
  const head = new RegExp(`^[ \\t]+(?:async[ \\t]+)?def[ \\t]+${word}[ \\t]*\\(`);
  const found: { at: number; classAt: number }[] = [];
  let classAt: number | undefined;
  let at = 0;
  for (const line of code.split("\n")) {
    if (/^[^\s)\]}]/.test(line)) classAt = /^class\b/.test(line) ? at : undefined;
    else if (classAt !== undefined && head.test(line)) found.push({ at, classAt });
    at += line.length + 1;
  }
  return found;
}

function methodsIn(text: string, code: string, { at, method }: { at: number; method: string }): Definition[] {
  const end = endOfBlock(code, at);
  const head = new RegExp(`^[ \\t]+(?:async[ \\t]+)?def[ \\t]+${escapeName(method)}[ \\t]*\\(`, "gm");
  return [...code.slice(at, end).matchAll(head)].map(({ index }) => strengthOf(text, code, at + index));
}

/** Whether the function or class whose line begins at `at` has a body worth the name. */
function strengthOf(text: string, code: string, at: number): Definition {
  const end = endOfBlock(code, at);
  const header = endOfHeader(code, at, end);
  if (header === undefined || IDLE.test(code.slice(header, end))) return "stub";
  return /^[ \t]*#[ \t]*(?:\.\.\.|…)/m.test(text.slice(header, end)) ? "stub" : "whole";
}

/** Offset of the next line that is no deeper than the one at `at`, blank lines and closing brackets aside. */
function endOfBlock(code: string, at: number): number {
  const indent = /^[ \t]*/.exec(code.slice(at, at + 200))?.[0].length ?? 0;
  const next = new RegExp(`\\n[ \\t]{0,${indent}}[^\\s)\\]}]`, "g");
  next.lastIndex = at;
  return next.exec(code)?.index ?? code.length;
}

/** Offset after the colon that ends the header. */
function endOfHeader(code: string, at: number, end: number): number | undefined {
  let depth = 0;
  for (let i = at; i < end; i++) {
    const character = code[i] as string;
    if ("([{".includes(character)) depth++;
    if (")]}".includes(character)) depth--;
    if (character === ":" && depth === 0) return i + 1;
  }
  return undefined;
}
