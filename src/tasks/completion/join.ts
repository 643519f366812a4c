/** Joins a piece of code to a task's prompt where the prompt is itself the beginning of the program. */
import { MAX_LENGTH, type Definition, type SourceReader } from "../source/grammar.ts";
import { blankText, LineState } from "../source/line-state.ts";
import { findBlocks } from "./fences.ts";

/** What a piece of code comes to. */
export interface Joined {
  readonly program: string;
  /** How the program defines the entry point; absent where it does not, or only the prompt's stub does. */
  readonly definition?: Definition;
  /** Whether the definition is the prompt's, and the piece its body. */
  readonly isBody?: true;
}

/**
 * A piece that defines the entry point follows what the prompt has before that definition (imports, helpers). A piece that
 * completes the prompt's definition follows the prompt; where models lose its indentation, that is given back. Of these
 * readings the first one that is a program counts. A piece that is none of this stays as it is.
 */
export function joinToPrompt(piece: string, { entryPoint, prompt, reader }: JoinParts): Joined {
  const own = ownDefinition(piece, { entryPoint, prompt, reader });
  if (prompt === undefined) return own ?? { program: piece };
  const beginsInside = /^[ \t]/.test(firstLine(piece)) || /^(?:return|yield)\b/.test(firstLine(piece));
  if (own !== undefined && !(beginsInside && !own.isWholeIndented) && !own.isBroken) return own;
  const body = piece.length > MAX_LENGTH ? undefined : completedBody(piece, { entryPoint, prompt, reader });
  if (body !== undefined) return body;
  if (own !== undefined) return own;
  // An attempt at the body, with errors of its own.
  return beginsInside ? { program: continued(prompt, piece), definition: "whole", isBody: true } : { program: piece };
}

export interface JoinParts {
  readonly entryPoint: string;
  /** What {@link promptCode} gives. */
  readonly prompt: string | undefined;
  readonly reader: SourceReader;
}

type PromptParts = JoinParts & { readonly prompt: string };

/** The beginning of a program in a prompt, from code alone or from a block among words; `undefined` where there is none. */
export function promptCode(prompt: string, entryPoint: string, reader: SourceReader): string | undefined {
  const text = prompt.replace(/\r\n?/g, "\n");
  const isStub = (code: string): boolean => reader.definition(code, entryPoint) === "stub";
  const block = /^ {0,3}(?:```|~~~)/m.test(text)
    ? findBlocks(text, reader).blocks.findLast((found) => isStub(found.text))
    : undefined;
  if (block !== undefined) return block.text;
  return reader.definition(text, entryPoint) === undefined ? undefined : text;
}

type Own = Joined & {
  /** Indented as a whole, as in a list. */
  readonly isWholeIndented: boolean;
  /** Not a program by itself. */
  readonly isBroken: boolean;
};

function ownDefinition(piece: string, { entryPoint, prompt, reader }: JoinParts): Own | undefined {
  const straight = dedent(piece);
  const isWholeIndented = straight !== piece;
  // A body may define a function of the same name; then it has statements beside it.
  if (isWholeIndented && /^(?:return|yield)\b/m.test(blankText(straight, reader.language))) return undefined;
  const definition =
    reader.definition(straight, entryPoint) ?? reader.definition(straight, entryPoint.split(".").at(-1)!);
  if (definition === undefined) return undefined;
  const isBroken = reader.language === "javascript" && !reader.parses(straight);
  const joined = inClass(straight, { entryPoint, prompt, reader }) ?? {
    program: withHead(straight, { entryPoint, prompt, reader }),
    definition,
  };
  return { ...joined, isWholeIndented, isBroken };
}

/** A method alone, in the prompt's class. */
function inClass(piece: string, { entryPoint, prompt, reader }: JoinParts): Joined | undefined {
  if (prompt === undefined || reader.language !== "python") return undefined;
  const [name = "", method = name] = entryPoint.split(".");
  const head = new RegExp(`^([ \\t]+)(?:async[ \\t]+)?def[ \\t]+${method}[ \\t]*\\(`, "m").exec(prompt);
  if (head === null || !prompt.slice(reader.definitionStart(prompt, entryPoint)).startsWith("class")) return undefined;
  const program = prompt.slice(0, head.index) + indentUntil(piece, head[1] ?? "");
  const definition = reader.definition(program, entryPoint);
  const isAlone = reader.definition(piece, method) === "whole" && !/^class\b/m.test(piece);
  return isAlone && definition !== undefined ? { program, definition } : undefined;
}

/** The piece after what the prompt has before the definition. */
function withHead(piece: string, { entryPoint, prompt, reader }: JoinParts): string {
  if (prompt === undefined) return piece;
  const head = prompt.slice(0, reader.definitionStart(prompt, entryPoint) ?? 0);
  // Words before a function are no part of a program.
  if (!reader.parses(head)) return piece;
  return reader.language === "python" ? afterHead(head, piece) : withoutDuplicates(head, piece, reader) + piece;
}

/** `from __future__` has to stay first. */
export function afterHead(head: string, piece: string): string {
  const [future = ""] = /^(?:(?:[ \t]*(?:#[^\n]*)?\n)*from[ \t]+__future__[ \t]+import[^\n]*\n)+/.exec(piece) ?? [];
  return head.trim() === "" ? head + piece : future + head + piece.slice(future.length);
}

/** The head without the statements whose names the piece declares too: JavaScript lets no name be declared twice. */
function withoutDuplicates(head: string, piece: string, reader: SourceReader): string {
  const declared = new Set(reader.statements(piece).flatMap(({ names }) => names));
  let kept = "";
  let at = 0;
  for (const { from, to, names } of reader.statements(head)) {
    if (!names.some((name) => declared.has(name))) continue;
    kept += head.slice(at, from);
    at = to;
  }
  return kept + head.slice(at);
}

/** The prompt with the piece as the body of its definition; `undefined` where that is no program. */
function completedBody(piece: string, parts: PromptParts): Joined | undefined {
  const { entryPoint, prompt, reader } = parts;
  let beginning: Joined | undefined;
  for (const program of bodies(piece, parts)) {
    if (reader.language === "python" && !goesOnInside(program, prompt)) continue;
    const definition = reader.definition(program, entryPoint);
    if (definition !== "whole" && definition !== "method") continue;
    const joined: Joined = { program, definition, isBody: true };
    if (reader.parses(program)) return joined;
    if (beginning === undefined && reader.isBeginning(program) && prompt.trim() !== "") beginning = joined;
  }
  return beginning;
}

/** Whether the first statement behind the prompt is indented: at the margin it would end the function. */
function goesOnInside(program: string, prompt: string): boolean {
  const added = blankText(program, "python").slice(prompt.trimEnd().length);
  return !added.startsWith("\n") || /^\s*\n[ \t]+\S/.test(added);
}

function* bodies(piece: string, { prompt, entryPoint, reader }: PromptParts): Generator<string> {
  yield continued(prompt, piece);
  // The prompt may end in the middle of a line.
  if (!prompt.endsWith("\n") && !piece.startsWith("\n")) yield prompt + piece;
  if (reader.language !== "python") return;
  const indent = bodyIndent(prompt, entryPoint, reader);
  const lines = piece.split("\n");
  const first = lines.findIndex((line) => line.trim() !== "");
  // Only the first line lost its indentation, or a part of it.
  const restored = lines.with(first, indent + (lines[first] ?? "").trimStart());
  if (first >= 0 && !reader.parses(piece)) yield continued(prompt, restored.join("\n"));
  if (!isLooseBody(piece, prompt, { entryPoint, reader })) return;
  yield continued(prompt, indentUntil(dedent(piece), indent, /^(?:(?:async\s+)?def|class|@|if\s+__name__)\b/));
  yield continued(prompt, indentUntil(dedent(piece), indent));
}

/** Whether statements at the margin are the inside of the function: they return, or use its parameters. */
function isLooseBody(piece: string, prompt: string, { entryPoint, reader }: Omit<JoinParts, "prompt">): boolean {
  const code = blankText(dedent(piece), "python");
  if (/^(?:[ \t]+|(?=return|yield))(?:return|yield)\b/m.test(code)) return true;
  const header = blankText(prompt, "python").slice(reader.definitionStart(prompt, entryPoint));
  const parameters = /\(([^]*?)\)\s*(?:->[^:]*)?:/.exec(header)?.[1]?.split(",") ?? [];
  const names = parameters.map((parameter) => /\w+/.exec(parameter)?.[0]).filter((name) => name !== undefined);
  const words = new Set(code.match(/\w+/g));
  return names.some((name) => words.has(name)) && !words.has(entryPoint);
}

function continued(prompt: string, piece: string): string {
  return `${prompt.trimEnd()}\n${piece}`;
}

/** Of the first line in the prompt's function, where it has one. */
function bodyIndent(prompt: string, entryPoint: string, reader: SourceReader): string {
  const inside = prompt.slice(reader.definitionStart(prompt, entryPoint) ?? 0).split("\n");
  const header = /^[ \t]*/.exec(inside[0] ?? "")?.[0] ?? "";
  const end = inside.findIndex((line) => /:\s*(?:#.*)?$/.test(line));
  const next = inside.slice(end + 1).find((line) => line.trim() !== "");
  const found = /^[ \t]*/.exec(next ?? "")?.[0] ?? "";
  return found.length > header.length ? found : `${header}    `;
}

function firstLine(text: string): string {
  return /^[^\S\n]*\S[^\n]*/m.exec(text)?.[0] ?? "";
}

/** Without the indentation that all lines have, those inside of strings aside. */
export function dedent(text: string): string {
  const lines = text.split("\n");
  const indents = lines.filter((line) => line.trim() !== "").map((line) => /^[ \t]*/.exec(line)?.[0].length ?? 0);
  const indent = indents.reduce((least, length) => Math.min(least, length), Infinity);
  return indent === 0 || indent === Infinity ? text : lines.map((line) => line.slice(indent)).join("\n");
}

/** Indents every line up to one that matches, those inside of strings aside. */
function indentUntil(text: string, indent: string, stop?: RegExp): string {
  const state = new LineState("python");
  let stopped = false;
  return text
    .split("\n")
    .map((line) => {
      const { insideText } = state;
      state.read(line);
      stopped ||= !insideText && stop?.test(line) === true;
      return stopped || insideText || line.trim() === "" ? line : indent + line;
    })
    .join("\n");
}
