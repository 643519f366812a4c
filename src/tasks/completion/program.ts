/** Takes from a completion the program that a reader would run. */
import { SourceReader, type Definition } from "../source/grammar.ts";
import type { Task } from "../task.ts";
import { findBlocks, type Block } from "./fences.ts";
import { readInfoString, type BlockLanguage } from "./info-string.ts";
import { withCompanions } from "./companions.ts";
import { joinToPrompt, promptCode, type Joined } from "./join.ts";
import { betweenWords, findCode, inlineCode } from "./prose.ts";
import { splitReasoning } from "./reasoning.ts";

/** What is needed of a task to read completions of its prompt. */
export type CompletedTask = Pick<Task, "prompt" | "entryPoint" | "language">;

/**
 * The program that a completion stands for; `null` where it holds none. `docs/grading.md` states the rule.
 *
 * The thought is split off. A text that is a program as a whole counts as it is. Else the last block that defines the
 * entry point counts, else code among words that does, else the body that completes the prompt's function.
 */
export function programOf(task: CompletedTask, completion: string): string | null {
  const text = splitReasoning(completion.replace(/^\uFEFF/, "")).text.replace(/\r\n?/g, "\n");
  return text.trim() === "" ? null : new CompletionReader(task).read(text);
}

/** The program in a completion where nothing is known of the task but its language. */
export function extractProgram(completion: string, language: Task["language"] = "python"): string | null {
  return programOf({ prompt: "", language }, completion);
}

/** A piece of a completion that may be the program. */
interface Candidate extends Joined {
  /** The better ones of a completion have the higher score; 0: nothing speaks for it. */
  readonly score: number;
  /** Which block it is, where it is one. */
  readonly block?: Block;
}

/** How the program comes to its definition of the entry point. */
const SCORES: Readonly<Record<Definition, number>> = { whole: 6, method: 4, alias: 3, stub: 1 };
const BODY_SCORE = 5;
const LONE_METHOD_SCORE = 2.5;
const BROKEN_BODY_SCORE = 2;

/** A task without an entry point: what reads input, before what defines something, before what only runs. */
const READS_INPUT = {
  python: /\binput\s*\(|\bstdin\b|\bfileinput\b|\bopen\s*\(\s*0/,
  javascript: /\bstdin\b|\breadline\b|\breadFileSync\b|\bDeno\.read|\bBun\.stdin/,
} as const;

/** Only so many blocks, and pieces between them, are looked at, from the last. */
const MAX_PIECES = 200;

class CompletionReader {
  readonly #task: CompletedTask;
  readonly #reader: SourceReader;
  readonly #prompt: string | undefined;

  constructor(task: CompletedTask) {
    this.#task = task;
    this.#reader = new SourceReader(task.language);
    const { prompt, entryPoint } = task;
    this.#prompt = entryPoint === undefined ? undefined : promptCode(prompt, entryPoint, this.#reader);
  }

  read(text: string): string | null {
    const whole = this.#candidate(withOneEnd(text));
    if (this.#isProgramAlone(whole)) return whole.program;
    const found = findBlocks(text, this.#reader);
    const [blocks, outside] = [found.blocks.slice(-MAX_PIECES), found.outside.slice(-MAX_PIECES)];
    const own = blocks.filter(({ language }) => this.#isOwn(language));
    // Of equal scores an earlier group counts, and in a group the last.
    const best = bestOf([
      own.map((block) => this.#blockCandidate(block)),
      blocks.filter((block) => !own.includes(block)).map((block) => this.#foreignCandidate(block)),
      outside.flatMap((piece) => this.#pieceCandidates(piece)),
      outside.flatMap(inlineCode).map((code) => this.#inlineCandidate(code)),
    ]);
    if (best?.block !== undefined) {
      return withCompanions(best.program, { blocks: own, chosen: best.block, reader: this.#reader });
    }
    if (best !== undefined) return best.program;
    if (blocks.length === 0) return this.#anyText(text, whole);
    const words = outside.join("\n");
    return this.#anyBlock(blocks) ?? (this.#isCode(words) ? this.#anyText(words, this.#candidate(words)) : null);
  }

  /** Whether a block so marked is taken for one in the task's language. */
  #isOwn(language: BlockLanguage): boolean {
    return language === "none" || language === this.#task.language;
  }

  #isProgramAlone({ program, score }: Candidate): boolean {
    const enough = this.#task.entryPoint === undefined ? 2 : LONE_METHOD_SCORE;
    return score >= enough && this.#reader.parses(program);
  }

  #candidate(piece: string): Candidate {
    const { entryPoint } = this.#task;
    if (entryPoint === undefined) return { program: piece, score: this.#scoreOfRun(piece) };
    const joined = joinToPrompt(piece, { entryPoint, prompt: this.#prompt, reader: this.#reader });
    return { ...joined, score: this.#scoreOf(joined) };
  }

  #scoreOf({ program, definition, isBody }: Joined): number {
    if (definition === undefined) return 0;
    if (isBody) return this.#reader.parses(program) ? BODY_SCORE : BROKEN_BODY_SCORE;
    // Without a class in the prompt a function is called for.
    if (definition === "method" && this.#prompt === undefined) return LONE_METHOD_SCORE;
    return SCORES[definition];
  }

  #scoreOfRun(piece: string): number {
    if (!this.#reader.parses(piece)) return 0;
    const statements = this.#reader.statements(piece);
    if (statements.every(({ kind }) => kind === "operand")) return 0;
    if (READS_INPUT[this.#task.language].test(piece)) return 4;
    return statements.some(({ kind }) => kind === "definition") ? 3 : 2;
  }

  #blockCandidate(block: Block): Candidate {
    const isClean = block.closed || this.#reader.parses(this.#candidate(block.text).program);
    const text = isClean ? block.text : (betweenWords(block.text, this.#reader) ?? block.text);
    const candidate = { ...this.#candidate(text), block };
    // With an error in it, a block that says its language is still what was meant.
    const isMeant = this.#task.entryPoint === undefined && block.language !== "none" && block.text.trim() !== "";
    return isMeant && !this.#reader.parses(block.text)
      ? { ...candidate, score: READS_INPUT[this.#task.language].test(block.text) ? 4 : 1 }
      : candidate;
  }

  /** A block marked as something else has to be a program of the task's language to count. */
  #foreignCandidate(block: Block): Candidate {
    const candidate = this.#candidate(block.text);
    return this.#reader.parses(candidate.program) ? candidate : { ...candidate, score: 0 };
  }

  #pieceCandidates(piece: string): Candidate[] {
    const candidate = this.#pieceCandidate(piece);
    if (candidate !== undefined && candidate.score > 0) return [candidate];
    // Some answers have tags around the code, on its own lines.
    const untagged = piece.replace(/^<\w+>|<\/\w+>[ \t]*$/gm, "\n");
    const inTags = untagged === piece ? undefined : this.#pieceCandidate(untagged.replace(/^\s*\n/, ""));
    return [candidate, inTags].filter((found) => found !== undefined);
  }

  #pieceCandidate(piece: string): Candidate | undefined {
    const between = betweenWords(piece, this.#reader);
    // Without a sentence in it, it is code as a whole, whatever the parser says.
    const isAllCode = between === withOneEnd(piece) && LOOKS_LIKE_CODE.test(piece);
    const fits = (run: string): boolean => this.#isProgramAlone(this.#candidate(run));
    const text = isAllCode ? between : (findCode(piece, this.#reader, fits) ?? between);
    return text === undefined ? undefined : this.#candidate(text);
  }

  #inlineCandidate(code: string): Candidate {
    const { language, rest } = readInfoString(code);
    const candidate = this.#candidate(language === this.#task.language && rest !== "" ? `${rest}\n` : code);
    return candidate.definition === "whole" && this.#isProgramAlone(candidate) ? candidate : { ...candidate, score: 0 };
  }

  /** Where nothing defines the entry point: the last block that is code at all. */
  #anyBlock(blocks: readonly Block[]): string | null {
    const code = blocks.filter(({ text }) => text.trim() !== "");
    const { language: own } = this.#task;
    const block =
      code.findLast(({ language }) => language === own) ??
      code.findLast(({ language, text }) => language === "none" && this.#isCode(text)) ??
      code.findLast(({ language }) => ["python", "javascript", "code"].includes(language));
    return block === undefined ? null : this.#candidate(block.text).program;
  }

  /** Where there is no block either: the text, unless it is an answer in words alone. */
  #anyText(text: string, whole: Candidate): string | null {
    if (whole.score > 0) return whole.program;
    if (this.#reader.parses(text)) return whole.program;
    return LOOKS_LIKE_CODE.test(text) ? this.#candidate(betweenWords(text, this.#reader) ?? text).program : null;
  }

  #isCode(text: string): boolean {
    if (!this.#reader.parses(text)) return LOOKS_LIKE_CODE.test(text);
    return this.#reader.statements(text).some(({ kind }) => kind !== "operand");
  }
}

/** A line that is hardly a sentence. */
const LOOKS_LIKE_CODE =
  /^[ \t]*(?:(?:async )?(?:def|function) [\w$]+ ?\(|class [A-Z]\w*\b.*[:{]|import [\w.]+$|from [\w.]+ import |(?:const|let|var) \S+ = |[\w$.[\]]+ [-+*/]?= \S|print\(|console\.)/m;

/** The last of those with the highest score, in the first group that has one; `undefined` where all have 0. */
function bestOf(groups: readonly (readonly Candidate[])[]): Candidate | undefined {
  let best: Candidate | undefined;
  for (const group of groups) {
    const inGroup = group.reduce<Candidate | undefined>(
      (last, candidate) => (candidate.score >= Math.max(1, last?.score ?? 0) ? candidate : last),
      undefined,
    );
    if ((inGroup?.score ?? 0) > (best?.score ?? 0)) best = inGroup;
  }
  return best;
}

/** Without blank lines at the end. */
function withOneEnd(text: string): string {
  return `${text.replace(/\n\s*$/, "")}\n`;
}
