/** Memory addresses in text that a Python program made: they differ from run to run and say nothing. */

/** `<f at 0x7f…>`, also cut short; `<Thread(Thread-1, started 1403…)>`; `owner=1403…` of a lock. */
const ADDRESS = /\b(at 0x)[\da-f]+\b|\b(started (?:daemon )?|owner=)\d{5,}/giu;

/** The text with three dots in the place of every address that a default `repr` shows. */
export function withoutAddresses(text: string): string {
  return text.replace(ADDRESS, (_, before?: string, other?: string) => `${before ?? other ?? ""}...`);
}
