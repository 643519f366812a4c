/** White space as Python counts it: with four control characters that separate records. */
export function isPythonSpace(character: string): boolean {
  return /\p{White_Space}/u.test(character) || (character >= "\u001C" && character <= "\u001F");
}
