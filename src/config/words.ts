/** Commands and lists as text: split into words as a POSIX shell does, and shown as one would type them. */
import { ConfigError } from "../errors.ts";

/**
 * Splits at white space. Single quotes keep everything, double quotes all but `\"` and `\\`, a backslash the next
 * character; nothing else is special. `key` names the text in messages.
 * @throws ConfigError for a quote that is not closed.
 */
export function splitWords(text: string, key: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    const next = text[i + 1];
    if (quote === undefined && /\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (quote === undefined && (character === "'" || character === '"')) {
      quote = character;
      word ??= "";
    } else if (character === quote) {
      quote = undefined;
    } else if (
      character === "\\" &&
      next !== undefined &&
      (quote === undefined || (quote === '"' && /["\\]/.test(next)))
    ) {
      word = (word ?? "") + next;
      i++;
    } else {
      word = (word ?? "") + character;
    }
  }
  if (quote !== undefined) {
    throw new ConfigError(
      `${key}: a ${quote} is not closed in ${JSON.stringify(text)}; close it or put a backslash before it`,
      {
        key,
        value: text,
      },
    );
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** The words as one would type them in a shell. */
export function joinWords(words: readonly string[]): string {
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(" ");
}

/** `A=1 B="two words"` as variables. @throws ConfigError for a word that is no assignment. */
export function parseEnvironment(text: string, key: string): Record<string, string> {
  return Object.fromEntries(
    splitWords(text, key).map((word) => {
      const found = /^([A-Za-z_]\w*)=(.*)$/s.exec(word);
      if (found === null) {
        throw new ConfigError(
          `${key}: ${JSON.stringify(word)} sets no variable; write NAME=VALUE, with quotes around spaces`,
          {
            key,
            value: word,
          },
        );
      }
      return [found[1]!, found[2]!];
    }),
  );
}

/**
 * Puts values in the place of `{name}`; other braces stay as they are. A word may hold several.
 * @throws ConfigError for a name that is not known, with those that are.
 */
export function fillPlaceholders(
  words: readonly string[],
  values: Readonly<Record<string, string>>,
  key: string,
): string[] {
  return words.map((word) =>
    word.replace(/\{([a-z][a-z_]*)\}/g, (placeholder, name: string) => {
      const value = Object.hasOwn(values, name) ? values[name] : undefined;
      if (value === undefined) {
        const known = Object.keys(values).map((each) => `{${each}}`);
        throw new ConfigError(`${key}: ${placeholder} is not known; known are ${known.join(" ")}`, {
          key,
          value: placeholder,
        });
      }
      return value;
    }),
  );
}
