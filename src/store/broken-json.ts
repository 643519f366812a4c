/** Why a line that should be a JSON object is none, in words. */

/** `expected a JSON object, found …`, and where it can be told what is the matter, how to mend it. */
export function describeBrokenLine(line: string): string {
  const start = JSON.stringify(line.length > 40 ? `${line.slice(0, 40)}…` : line);
  const reason = reasonOf(line.trim());
  return `expected a JSON object, found ${start}${reason === undefined ? "" : `: ${reason}`}`;
}

function reasonOf(line: string): string | undefined {
  const { depth, openString } = scan(line);
  if (!/^[{[]/.test(line)) return undefined;
  if (openString) return "a string has no end on this line; write line breaks within strings as \\n";
  if (depth > 0 && line.startsWith("[")) {
    return "an array goes on over several lines; write one object per line (`jq -c '.[]' FILE` does)";
  }
  if (depth > 0) return "it goes on over several lines; write one object per line (`jq -c . FILE` does)";
  if (line.endsWith(",")) return "it ends with a comma; write one object per line and nothing between them";
  if (/^\{\s*'|[:[,{]\s*'/.test(line)) return "JSON has double quotes only";
  return undefined;
}

/** Brackets outside strings that stay open, and whether a string does. */
function scan(text: string): { depth: number; openString: boolean } {
  let depth = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"?|[[\]{}]/gs)) {
    if (token === "{" || token === "[") depth++;
    else if (token === "}" || token === "]") depth--;
    else if (!/^"(?:[^"\\]|\\.)*"$/s.test(token)) return { depth, openString: true };
  }
  return { depth, openString: false };
}
