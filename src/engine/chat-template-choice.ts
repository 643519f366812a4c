/** Which of a checkpoint's chat templates is taken. */
import { ConfigError } from "../errors.ts";
import type { TokenizerConfigJson } from "./tokenizer-files.ts";

/**
 * The only template, or of several with names the one called `default`, as `transformers` does for a conversation
 * without tools.
 * @throws {ConfigError} when there is none.
 */
export function chooseTemplate({ chat_template: given }: TokenizerConfigJson): string {
  if (typeof given === "string") return given;
  const refuse = (found: string, expected: string): never => {
    const message = `tokenizer_config.json: chat_template is ${found}; expected ${expected}`;
    throw new ConfigError(message, { key: "chat_template", found, expected });
  };
  if (given === undefined || given === null) return refuse("missing", "a Jinja template");
  const entries: readonly (readonly [unknown, unknown])[] = Array.isArray(given)
    ? given.map((entry) => [entry?.name, entry?.template])
    : Object.entries(given);
  // Of two templates of one name the last is taken.
  const template = new Map(entries).get("default");
  if (typeof template === "string") return template;
  const names = entries.map(([name]) => String(name)).join(", ");
  return refuse(`a choice of ${names === "" ? "none" : names}`, 'a Jinja template, or one that is named "default"');
}
