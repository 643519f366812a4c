/** Commands as text, and as the words that a program is started with. */
import { ConfigError } from "../errors.ts";

/**
 * Splits a command as a shell would, without doing anything else that a shell does: words are apart by white space,
 * quotes of both kinds keep it, a backslash takes the next character as it is (not between single quotes).
 * `key` names the configuration key for the message.
 * @throws ConfigError for a quote that is not closed.
 */
export function splitWords(text: string, key: string): string[] {
  const words: string[] = [];
  let word: string | null = null;
  let quote: string | null = null;
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if (character === "\\" && quote !== "'" && i + 1 < text.length) word = (word ?? "") + text[++i]!;
    else if (quote === null && /\s/.test(character)) {
      if (word !== null) words.push(word);
      word = null;
    } else if (quote === null && (character === '"' || character === "'")) {
      quote = character;
      word ??= "";
    } else if (character === quote) quote = null;
    else word = (word ?? "") + character;
  }
  if (quote !== null) {
    throw new ConfigError(`${key}: a quote (${quote}) is not closed in ${JSON.stringify(text)}`, { key, value: text });
  }
  if (word !== null) words.push(word);
  return words;
}

/** `{name}` in every word stands for a value. @throws ConfigError for a name without one. */
export function fillWords(words: readonly string[], values: Readonly<Record<string, string>>, key: string): string[] {
  return words.map((word) =>
    word.replaceAll(/\{([a-z][A-Za-z]*)\}/g, (_, name: string) => {
      const value = values[name];
      if (value !== undefined) return value;
      const known = Object.keys(values).map((one) => `{${one}}`);
      throw new ConfigError(`${key}: {${name}} stands for nothing; what does: ${known.join(", ")}`, { key, name });
    }),
  );
}

/** `NAME=VALUE` words as variables. @throws ConfigError for a word of another form. */
export function readVariables(text: string, key: string): Record<string, string> {
  return Object.fromEntries(
    splitWords(text, key).map((word) => {
      const [, name, value] = /^([A-Za-z_]\w*)=(.*)$/s.exec(word) ?? [];
      if (name === undefined) throw new ConfigError(`${key}: ${JSON.stringify(word)} is not NAME=VALUE`, { key, word });
      return [name, value!];
    }),
  );
}
