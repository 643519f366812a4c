/** White space as other languages count it, and taking it away: in one pass, as texts may be long runs of it. */

/** By the rules of Unicode, as Rust has them. */
export const isUnicodeSpace = (character: string): boolean => /\p{White_Space}/u.test(character);

/** As Python counts it: with four control characters that separate records. */
export const isPythonSpace = (character: string): boolean =>
  isUnicodeSpace(character) || (character >= "\u001C" && character <= "\u001F");

export interface Ends {
  readonly start: boolean;
  readonly end: boolean;
}

/** The text without the characters at its ends that `isTaken` takes, which are of one code unit each. */
export function trim(text: string, at: Ends, isTaken: (character: string) => boolean = isPythonSpace): string {
  let start = 0;
  let end = text.length;
  if (at.start) while (start < end && isTaken(text[start]!)) start++;
  if (at.end) while (end > start && isTaken(text[end - 1]!)) end--;
  return text.slice(start, end);
}
