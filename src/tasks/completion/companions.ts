/** Puts together what a completion shows in several blocks. */
import type { SourceReader } from "../source/grammar.ts";
import type { Block } from "./fences.ts";
import { afterHead } from "./join.ts";

export interface CompanionParts {
  /** Those in the task's language, in order. */
  readonly blocks: readonly Block[];
  /** The one that the program is from. */
  readonly chosen: Block;
  readonly reader: SourceReader;
}

/**
 * The program behind what it uses and only other blocks define: imports, helpers and constants. Of several definitions
 * the nearest before it counts, else the nearest after it. Nothing else of those blocks is taken: they may be drafts.
 */
export function withCompanions(program: string, { blocks, chosen, reader }: CompanionParts): string {
  const at = blocks.indexOf(chosen);
  const order = [...blocks.keys()].toSorted(
    (a, b) => Number(a > at) - Number(b > at) || Math.abs(a - at) - Math.abs(b - at),
  );
  const statements = order
    .filter((index) => index !== at)
    .flatMap((index) => definitionsOf(blocks[index]!.text, reader).map((definition) => ({ ...definition, index })));
  const companions = new Set<(typeof statements)[number]>();
  const needed = new Set(statements.length === 0 ? [] : reader.freeNames(program));
  // A set gives what is added to it on the way, too.
  for (const name of needed) {
    const statement = statements.find(({ names }) => names.includes(name));
    if (statement === undefined || companions.has(statement)) continue;
    companions.add(statement);
    for (const used of reader.freeNames(statement.text)) needed.add(used);
  }
  if (companions.size === 0) return program;
  const inOrder = [...companions].toSorted((a, b) => a.index - b.index || a.from - b.from);
  return afterHead(`${inOrder.map(({ text }) => text).join("\n")}\n\n`, program);
}

function definitionsOf(text: string, reader: SourceReader): { text: string; names: readonly string[]; from: number }[] {
  return reader.statements(text).map(({ from, to, names }) => ({ text: text.slice(from, to), names, from }));
}
