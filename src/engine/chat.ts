/**
 * Conversations as parts: control tokens and texts. The chat template (Jinja) is rendered with placeholders for the
 * messages' contents, so that its own control tokens can be told from text in a message that merely looks like one;
 * and with the contents themselves, so that a template that changes them is noticed.
 */
import { ConfigError } from "../errors.ts";
import {
  fillSlot,
  readSlot,
  SLOT_PATTERN,
  thoughtfulContent,
  wholeContent,
  withPlaceholders,
  type ContentPieces,
  type ContentSlot,
} from "./content-slots.ts";
import type { ChatMessage } from "./engine.ts";
import type { SpecialTokens } from "./special-tokens.ts";
import { compileTemplate, TemplateRefusal, type RenderTemplate } from "./template-interpreter.ts";
import { templateProbes } from "./template-probes.ts";
import type { AddedToken } from "./tokenizer-files.ts";
import { isUnicodeSpace, trim, type Ends } from "./white-space.ts";

/** A control token, or plain text. */
export type ChatPart = { readonly token: number } | { readonly text: readonly TextPiece[] };

/** `apart`: what an assistant wrote, which is encoded apart from the text around it. */
export interface TextPiece {
  readonly text: string;
  readonly apart: boolean;
}

export interface RenderOptions {
  readonly addGenerationPrompt: boolean;
}

/** A rendered conversation without its contents. */
type Skeleton = readonly (AddedToken | string | ContentSlot)[];

/** Where templates come from. */
const SOURCE = "chat_template.jinja or tokenizer_config.json";

/** Skeletons remembered at most; then the memory starts afresh. */
const CACHE_LIMIT = 1000;

/** The template raised an error. */
class RenderError extends Error {}

export class ChatTemplate {
  readonly #template: RenderTemplate;
  readonly #special: SpecialTokens;
  readonly #pattern: RegExp;
  readonly #skeletons = new Map<string, Skeleton>();

  /** @throws {ConfigError} when the template cannot be parsed, or changes the contents of messages. */
  constructor(template: string, special: SpecialTokens) {
    try {
      this.#template = compileTemplate(template);
    } catch (error) {
      const fields = { key: "chat_template", found: template };
      throw new ConfigError(`${SOURCE}: chat_template cannot be parsed`, fields, { cause: error });
    }
    this.#special = special;
    const names = [...special.added.keys(), ...special.foreign.keys()];
    const controls = names.toSorted((a, b) => b.length - a.length).map(escapeRegExp);
    this.#pattern = new RegExp([SLOT_PATTERN, ...controls].join("|"), "gu");
    for (const { conversation, addGenerationPrompt } of templateProbes(names)) {
      try {
        this.#fit(conversation, { addGenerationPrompt });
      } catch (error) {
        if (!(error instanceof RenderError)) throw error;
        // A template may refuse roles, and an order of roles; or know no system, and fail at it.
        if (error.cause instanceof TemplateRefusal || conversation[0]!.role === "system") continue;
        const reason = error.cause instanceof Error ? error.cause.message : "";
        const message = `${SOURCE}: chat_template fails at a conversation: ${reason}; expected one that @huggingface/jinja can run: write one into chat_template.jinja`;
        throw new ConfigError(message, { key: "chat_template" }, { cause: error.cause });
      }
    }
  }

  /**
   * The parts of a conversation: contents as the template puts them in, but what an assistant wrote whole where the
   * template trims it.
   * @throws {ConfigError} when the template refuses the conversation, or changes a content otherwise than by trimming
   * or by leaving out the thoughts of an answer.
   */
  parts(conversation: readonly ChatMessage[], options: RenderOptions): readonly ChatPart[] {
    const { skeleton, cut } = this.#tryFit(conversation, options);
    const contents = conversation.map(cut);
    const parts: ChatPart[] = [];
    let text: TextPiece[] = [];
    /** The control token before the text, if there is one. */
    let before: AddedToken | undefined;
    const endText = (after: AddedToken | undefined): void => {
      const kept = takeSpaces(text, { start: before?.rstrip === true, end: after?.lstrip === true });
      if (kept.length > 0) parts.push({ text: kept });
      text = [];
    };
    for (const item of skeleton) {
      if (typeof item === "string") {
        text.push({ text: item, apart: false });
      } else if ("message" in item) {
        const piece = contents[item.message]![item.piece]!;
        const apart = conversation[item.message]!.role === "assistant";
        text.push({ text: apart ? piece : fillSlot(item, piece), apart });
      } else {
        endText(item);
        parts.push({ token: item.id });
        before = item;
      }
    }
    endText(undefined);
    return parts;
  }

  #tryFit(conversation: readonly ChatMessage[], options: RenderOptions): Fit {
    try {
      return this.#fit(conversation, options);
    } catch (error) {
      if (!(error instanceof RenderError)) throw error;
      const roles = conversation.map(({ role }) => role);
      const message = `the chat template refuses a conversation of ${roles.join(", ")}`;
      throw new ConfigError(message, { roles }, { cause: error.cause });
    }
  }

  /**
   * Contents as wholes first. Where that does not give what the template makes of them, thoughts are told from the
   * answers behind them, as templates of reasoning models leave them out of past answers.
   * @throws {RenderError} when the template refuses the conversation.
   */
  #fit(conversation: readonly ChatMessage[], options: RenderOptions): Fit {
    const rendered = this.#render(conversation, options);
    for (const cut of [wholeContent, thoughtfulContent]) {
      const skeleton = this.#skeleton(conversation, cut, options, rendered);
      if (skeleton !== undefined) return { skeleton, cut };
    }
    return this.#refuseChange(conversation, options);
  }

  /** The skeleton that, filled, is what was rendered; `undefined` where there is none. */
  #skeleton(
    conversation: readonly ChatMessage[],
    cut: Fit["cut"],
    options: RenderOptions,
    rendered: string,
  ): Skeleton | undefined {
    const contents = conversation.map(cut);
    const messages = conversation.map(({ role }, i) => ({ role, content: withPlaceholders(contents[i]!, i) }));
    const key = JSON.stringify([messages, options.addGenerationPrompt]);
    const known = this.#skeletons.get(key);
    if (known !== undefined && fillText(known, contents) === rendered) return known;
    // Also where one is known: a template may name the day, and then another begins.
    const skeleton = this.#parse(this.#render(messages, options));
    if (fillText(skeleton, contents) !== rendered) return undefined;
    if (this.#skeletons.size >= CACHE_LIMIT) this.#skeletons.clear();
    this.#skeletons.set(key, skeleton);
    return skeleton;
  }

  #render(messages: readonly ChatMessage[], { addGenerationPrompt }: RenderOptions): string {
    try {
      return this.#template({
        ...this.#special.named,
        messages,
        add_generation_prompt: addGenerationPrompt,
        // There, and nothing, as `transformers` gives them: templates may ask for either.
        tools: null,
        documents: null,
      });
    } catch (error) {
      throw new RenderError("the template raised an error", { cause: error });
    }
  }

  #parse(rendered: string): Skeleton {
    const items: (AddedToken | string | ContentSlot)[] = [];
    let end = 0;
    for (const match of rendered.matchAll(this.#pattern)) {
      if (match.index > end) items.push(rendered.slice(end, match.index));
      end = match.index + match[0].length;
      const token = this.#special.added.get(match[0]);
      if (token !== undefined) items.push(token);
      else if (this.#special.foreign.has(match[0])) refuseForeign(match[0], this.#special.foreign.get(match[0])!);
      else items.push(readSlot(match[0]));
      if (token?.single_word) refuseSingleWord(token);
    }
    if (end < rendered.length) items.push(rendered.slice(end));
    return items;
  }

  #refuseChange(conversation: readonly ChatMessage[], options: RenderOptions): never {
    const isChanged = (i: number): boolean => {
      const alone = conversation.map(({ role, content }, j) => ({ role, content: i === j ? content : "x" }));
      try {
        const rendered = this.#render(alone, options);
        return [wholeContent, thoughtfulContent].every(
          (cut) => this.#skeleton(alone, cut, options, rendered) === undefined,
        );
      } catch {
        return false;
      }
    };
    const { role, content } = conversation.find((_, i) => isChanged(i)) ?? conversation.at(-1)!;
    const found = JSON.stringify(content.slice(0, 80));
    const message = `${SOURCE}: chat_template changes what stands in a message of role ${role}: ${found}; expected a template that puts contents in as they are or trimmed: write one into chat_template.jinja`;
    throw new ConfigError(message, { key: "chat_template", role, found });
  }
}

/** A skeleton that fits, and how it takes contents. */
interface Fit {
  readonly skeleton: Skeleton;
  readonly cut: (message: ChatMessage) => ContentPieces;
}

/** What the template rendered, by its skeleton. */
function fillText(skeleton: Skeleton, contents: readonly ContentPieces[]): string {
  const show = (item: Skeleton[number]): string => {
    if (typeof item === "string") return item;
    return "message" in item ? fillSlot(item, contents[item.message]![item.piece]!) : item.content;
  };
  return skeleton.map(show).join("");
}

/**
 * The text without the white space that control tokens beside it take: those with `rstrip` what follows them, those with
 * `lstrip` what is before them. What stands apart is left whole.
 */
function takeSpaces(pieces: readonly TextPiece[], at: Ends): TextPiece[] {
  const kept = pieces.filter(({ text, apart }) => apart || text !== "");
  const take = (index: 0 | -1, end: Ends): void => {
    for (let piece = kept.at(index); piece !== undefined && !piece.apart; piece = kept.at(index)) {
      const text = trim(piece.text, end, isUnicodeSpace);
      kept.splice(index, 1, ...(text === "" ? [] : [{ text, apart: false }]));
      if (text !== "") return;
    }
  };
  if (at.start) take(0, { start: true, end: false });
  if (at.end) take(-1, { start: false, end: true });
  return kept;
}

function refuseSingleWord({ content }: AddedToken): never {
  const message = `tokenizer.json: added_tokens: single_word of ${content} is true, and the chat template writes it; expected false`;
  throw new ConfigError(message, { key: "added_tokens", found: content });
}

function refuseForeign(content: string, key: string): never {
  const message = `${key} names ${content}, which the chat template writes; expected one of added_tokens in tokenizer.json: save the tokenizer with transformers once more`;
  throw new ConfigError(message, { key, found: content });
}

/** Escapes what has a meaning in a pattern, in a way that every regular expression dialect understands. */
export function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
