/** The grammar of JavaScript. */
import type { SyntaxNode, Tree } from "@lezer/common";
import { parser } from "@lezer/javascript";
import { bestDefinition, escapeName } from "./definitions.ts";
import type { Definition, Grammar, Statement } from "./grammar.ts";
import { blankText } from "./line-state.ts";

export const javascriptGrammar: Grammar = {
  parser: parser.configure({ strict: true }),
  errorIn: misplacedNode,
  statement: readStatement,
  names: readNames,
  definition: findDefinition,
  definitionStart: findStart,
  builtins: new Set(
    (
      "Array BigInt Boolean Date Error Infinity JSON Map Math NaN Number Object Promise Proxy Reflect RegExp Set String " +
      "Symbol WeakMap WeakSet console document exports global globalThis isNaN module parseFloat parseInt process require " +
      "undefined window"
    ).split(" "),
  ),
};

/** What is grammatical and yet no program: a word with a colon before a declaration, a fence around text. */
function misplacedNode(tree: Tree): number | undefined {
  let errorAt: number | undefined;
  tree.iterate({
    enter({ name, from, node }) {
      if (errorAt !== undefined) return false;
      const isLabel =
        name === "LabeledStatement" && !/^(?:For|While|Do|Switch|If|Block)/.test(node.lastChild?.name ?? "");
      const isFence = name === "TaggedTemplateExpression" && /Template/.test(node.firstChild?.name ?? "");
      if (isLabel || isFence) errorAt = from;
      return true;
    },
  });
  return errorAt;
}

function readStatement(node: SyntaxNode, text: string): Pick<Statement, "from" | "kind" | "names"> {
  const { from, name } = node;
  if (/^(?:Function|Class|Import|Export)Declaration$|^Import/.test(name)) {
    return { from, kind: "definition", names: declaredNames(node, text) };
  }
  if (name === "VariableDeclaration") return { from, kind: "assignment", names: declaredNames(node, text) };
  return { from, kind: name === "ExpressionStatement" && isOperand(node) ? "operand" : "other", names: [] };
}

function isOperand(statement: SyntaxNode): boolean {
  let plain = true;
  statement.cursor().iterate(({ name }) => {
    if (/Call|String|Assign|Await|Yield|New|Function|Postfix|Object/.test(name)) plain = false;
    return plain;
  });
  return plain;
}

/** Names that a declaration gives to what surrounds it: not its parameters, nor what its bodies declare. */
function declaredNames(declaration: SyntaxNode, text: string): string[] {
  const names: string[] = [];
  declaration.cursor().iterate(({ name, from, to }) => {
    if (name === "VariableDefinition") names.push(text.slice(from, to));
    return !/^(?:ParamList|Block|ClassBody|ArrowFunction|FunctionExpression|ClassExpression)$/.test(name);
  });
  return names;
}

function readNames(tree: Tree, text: string): { used: Set<string>; bound: Set<string> } {
  const used = new Set<string>();
  const bound = new Set<string>();
  tree.iterate({
    enter({ name, from, to }) {
      if (name === "VariableName") used.add(text.slice(from, to));
      if (name === "VariableDefinition") bound.add(text.slice(from, to));
    },
  });
  return { used, bound };
}

/** Of the definitions of one name only so many count, from the last: each is read to its closing bracket. */
const MAX_HEADS = 20;

/** A definition at the margin. */
function headsOf(word: string): RegExp {
  const end = "(?![\\w$])";
  return new RegExp(
    `^(?:export[ \\t]+(?:default[ \\t]+)?)?(?:(?:async[ \\t]+)?function[ \\t]*\\*?[ \\t]*${word}${end}` +
      `|class[ \\t]+${word}${end}` +
      `|(?:(?:const|let|var)[ \\t]+|(?:module\\.)?exports\\.|(?:window|globalThis|global)\\.)?${word}[ \\t]*(?::[^=\\n]*)?=(?![=>]))`,
    "gm",
  );
}

function findStart(text: string, name: string): number | undefined {
  const code = blankText(text, "javascript");
  const [word = ""] = name.split(".").map(escapeName);
  return headsOf(word).exec(code)?.index;
}

function findDefinition(text: string, name: string): Definition | undefined {
  const code = blankText(text, "javascript");
  const [first = "", method] = name.split(".");
  const word = escapeName(first);
  const found: Definition[] = [];
  for (const { 0: head, index } of [...code.matchAll(headsOf(word))].slice(-MAX_HEADS)) {
    const after = index + head.length;
    if (!head.endsWith("=")) {
      const body = bodyAt(code, after);
      if (method === undefined) found.push(strengthOf(text, code, body));
      else if (body !== undefined && memberIn(code.slice(...body), method)) found.push("whole");
    } else {
      const body = functionBody(code, after);
      if (body === "expression") found.push("whole");
      else if (body !== undefined) found.push(strengthOf(text, code, body));
      // What is asked of another file is used here, not defined.
      else if (!/^\s*(?:await\s+import|require)\b/.test(code.slice(after, after + 200))) found.push("alias");
    }
  }
  if (method === undefined && !found.includes("whole") && /^(?:export[ \t]+)?class\b/m.test(code)) {
    if (memberIn(code, first)) found.push("method");
  }
  return bestDefinition(found);
}

function memberIn(code: string, method: string): boolean {
  const head = new RegExp(
    `^[ \\t]+(?:static[ \\t]+)?(?:async[ \\t]+)?\\*?[ \\t]*${escapeName(method)}[ \\t]*[(=]`,
    "m",
  );
  return head.test(code);
}

type Span = readonly [from: number, to: number];

/** The body of the function or class that a value is, with its braces; `expression`: an arrow's without braces. */
function functionBody(code: string, at: number): Span | "expression" | undefined {
  const start = at + (/^[\s(]*/.exec(code.slice(at, at + 200))?.[0].length ?? 0);
  if (/^(?:(?:async\s+)?function|class)\b/.test(code.slice(start, start + 40))) return bodyAt(code, start);
  const arrow = arrowAfter(code, at);
  if (arrow === undefined) return undefined;
  const body = arrow + (/^\s*/.exec(code.slice(arrow, arrow + 200))?.[0].length ?? 0);
  if (code[body] === "{") return [body, closing(code, body)];
  return "expression";
}

/** Offset after the `=>` that follows the parameters at `at`. */
function arrowAfter(code: string, at: number): number | undefined {
  const head = /^\s*(?:async\b\s*)?/.exec(code.slice(at, at + 200))?.[0].length ?? 0;
  let end = at + head;
  if (code[end] === "(") end = closing(code, end);
  else end += /^[\w$]*/.exec(code.slice(end, end + 200))?.[0].length ?? 0;
  const arrow = /^\s*(?::[^=;]{0,200})?=>/.exec(code.slice(end, end + 300))?.[0].length;
  return arrow === undefined ? undefined : end + arrow;
}

/** From the first brace that is not inside parentheses; `undefined` where there is none. */
function bodyAt(code: string, at: number): Span | undefined {
  const parameters = code.indexOf("(", at);
  const brace = code.indexOf("{", at);
  const start = parameters >= 0 && parameters < brace ? code.indexOf("{", closing(code, parameters)) : brace;
  return start < 0 ? undefined : [start, closing(code, start)];
}

/** Offset after the bracket that closes the one at `at`, or the end of the text. */
function closing(code: string, at: number): number {
  let depth = 0;
  for (let i = at; i < code.length; i++) {
    const character = code[i] as string;
    if ("([{".includes(character)) depth++;
    if (")]}".includes(character) && --depth === 0) return i + 1;
  }
  return code.length;
}

const IDLE = /^[\s;{}]*(?:throw\s+new\s+Error\s*\(\s*\)[\s;{}]*)?$/;

function strengthOf(text: string, code: string, body: Span | undefined): Definition {
  if (body === undefined || IDLE.test(code.slice(...body))) return "stub";
  return /^[ \t]*(?:\/\/|\/\*)[ \t]*(?:\.\.\.|…)/m.test(text.slice(...body)) ? "stub" : "whole";
}
