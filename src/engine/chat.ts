/**
 * Conversations as tokens. The chat template (Jinja, as in `tokenizer_config.json`) is rendered with placeholders for
 * the messages' contents, so that its own control tokens can be told from text in a message that merely looks like one.
 */
import { Template } from "@huggingface/jinja";
import { ConfigError } from "../errors.ts";
import type { ChatMessage } from "./engine.ts";
import type { AddedToken, TokenizerConfigJson } from "./tokenizer-files.ts";

/** Where a message's content goes; a template may take away white space at its ends. */
export interface ContentSlot {
  readonly message: number;
  readonly trimsStart: boolean;
  readonly trimsEnd: boolean;
}

/** A control token, or plain text made of the template's words and of message contents. */
export type ChatPart = { readonly token: number } | { readonly text: readonly (string | ContentSlot)[] };

/** Characters of planes for private use: they stand around a message's index in a rendered skeleton. */
const OPEN = "\u{F0000}";
const CLOSE = "\u{F0001}";
/** White space on both sides of them: where it is gone, the template trims. */
const PAD = "\u2003";
const SLOT = `${PAD}?${OPEN}\\d+${CLOSE}${PAD}?`;

export class ChatTemplate {
  readonly #template: Template;
  readonly #variables: Readonly<Record<string, unknown>>;
  readonly #controlTokens: ReadonlyMap<string, number>;
  readonly #pattern: RegExp;
  readonly #skeletons = new Map<string, readonly ChatPart[]>();

  /** @throws {ConfigError} when the template cannot be parsed. */
  constructor(config: TokenizerConfigJson, addedTokens: readonly AddedToken[]) {
    if (typeof config.chat_template !== "string") {
      const fields = { key: "chat_template", found: config.chat_template };
      throw new ConfigError("tokenizer_config.json: chat_template is missing; expected a Jinja template", fields);
    }
    try {
      this.#template = new Template(config.chat_template);
    } catch (error) {
      const fields = { key: "chat_template", found: config.chat_template };
      throw new ConfigError("tokenizer_config.json: chat_template cannot be parsed", fields, { cause: error });
    }
    const named = ["bos_token", "eos_token", "pad_token", "unk_token"].map((key) => [key, tokenText(config[key])]);
    this.#variables = Object.fromEntries(named.filter(([, text]) => text !== undefined));
    this.#controlTokens = new Map(addedTokens.map(({ content, id }) => [content, id]));
    const controls = [...this.#controlTokens.keys()].toSorted((a, b) => b.length - a.length).map(escapeRegExp);
    this.#pattern = new RegExp([SLOT, ...controls].join("|"), "gu");
  }

  /**
   * The parts of a conversation. A template is taken to put contents in as they are or trimmed: what it does depends on
   * the roles and their order, not on the contents.
   * @throws {ConfigError} when the template refuses the conversation.
   */
  parts(conversation: readonly ChatMessage[], options: { readonly addGenerationPrompt: boolean }): readonly ChatPart[] {
    const key = `${conversation.map(({ role }) => role).join()} ${options.addGenerationPrompt}`;
    let skeleton = this.#skeletons.get(key);
    if (skeleton === undefined) {
      skeleton = this.#render(conversation, options);
      this.#skeletons.set(key, skeleton);
    }
    return skeleton;
  }

  #render(conversation: readonly ChatMessage[], options: { readonly addGenerationPrompt: boolean }): ChatPart[] {
    const messages = conversation.map(({ role }, i) => ({ role, content: `${PAD}${OPEN}${i}${CLOSE}${PAD}` }));
    let rendered: string;
    try {
      const { addGenerationPrompt } = options;
      rendered = this.#template.render({
        ...this.#variables,
        messages,
        add_generation_prompt: addGenerationPrompt,
      });
    } catch (error) {
      const roles = conversation.map(({ role }) => role);
      throw new ConfigError(
        `the chat template refuses a conversation of ${roles.join(", ")}`,
        { roles },
        { cause: error },
      );
    }
    const parts: ChatPart[] = [];
    let text: (string | ContentSlot)[] = [];
    const endText = (): void => {
      if (text.length > 0) parts.push({ text });
      text = [];
    };
    let end = 0;
    for (const match of rendered.matchAll(this.#pattern)) {
      if (match.index > end) text.push(rendered.slice(end, match.index));
      end = match.index + match[0].length;
      const token = this.#controlTokens.get(match[0]);
      if (token === undefined) {
        const slot = match[0];
        text.push({
          message: Number(/\d+/.exec(slot)![0]),
          trimsStart: !slot.startsWith(PAD),
          trimsEnd: !slot.endsWith(PAD),
        });
      } else {
        endText();
        parts.push({ token });
      }
    }
    if (end < rendered.length) text.push(rendered.slice(end));
    endText();
    return parts;
  }
}

/** A content as it stands in its slot; white space is what Python's `strip` takes for it. */
export function fillSlot(slot: ContentSlot, content: string): string {
  let start = 0;
  let end = content.length;
  if (slot.trimsStart) while (start < end && isSpace(content[start]!)) start++;
  if (slot.trimsEnd) while (end > start && isSpace(content[end - 1]!)) end--;
  return content.slice(start, end);
}

/** Python counts four control characters that separate records as well. */
const isSpace = (character: string): boolean =>
  /\p{White_Space}/u.test(character) || (character >= "\u001C" && character <= "\u001F");

/** The text of a token named in `tokenizer_config.json`, which writes either the text or an object. */
export function tokenText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null || !("content" in value)) return undefined;
  return typeof value.content === "string" ? value.content : undefined;
}

/** Escapes what has a meaning in a pattern, in a way that every regular expression dialect understands. */
export function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
