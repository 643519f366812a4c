/** Follows a log that another process writes, from where it ended when the following began. */
import { open, stat, type FileHandle } from "node:fs/promises";

export interface LogTail {
  /** Reads what has been written since the last call, and tells the complete lines. `true` when there was something. */
  read(): Promise<boolean>;
  /** The latest lines, oldest first, an unfinished one included. */
  lastLines(): readonly string[];
  /** Reads the rest; a last line without an end is told too. */
  close(): Promise<void>;
}

const keptLines = 30;
/** In characters, of a line that is kept and of one that is told; the rest of it is left out. */
const longestKept = 2000;
const longestTold = 1 << 16;
const blockSize = 1 << 16;

/** A carriage return ends a line too: progress bars are drawn with it. */
const lineEnd = /\r\n|\n|\r/;

export async function openLogTail(file: string, onLine?: (line: string) => void): Promise<LogTail> {
  let position = (await stat(file)).size;
  const handle: FileHandle = await open(file, "r");
  const decoder = new TextDecoder();
  const block = Buffer.alloc(blockSize);
  const lines: string[] = [];
  let unfinished = "";
  let reading: Promise<boolean> | undefined;

  const tell = (line: string): void => {
    if (line.trim() === "") return;
    lines.push(line.slice(0, longestKept));
    if (lines.length > keptLines) lines.shift();
    onLine?.(line);
  };
  const readAll = async (): Promise<boolean> => {
    for (let found = false; ; found = true) {
      const { bytesRead } = await handle.read(block, 0, blockSize, position);
      if (bytesRead === 0) return found;
      position += bytesRead;
      const parts = (unfinished + decoder.decode(block.subarray(0, bytesRead), { stream: true })).split(lineEnd);
      unfinished = (parts.pop() ?? "").slice(0, longestTold);
      for (const line of parts) tell(line);
    }
  };
  const read = (): Promise<boolean> => {
    reading ??= readAll().finally(() => {
      reading = undefined;
    });
    return reading;
  };

  return {
    read,
    lastLines: () => (unfinished.trim() === "" ? [...lines] : [...lines, unfinished.slice(0, longestKept)]),
    async close() {
      try {
        // One that is under way may have passed the end already.
        await reading;
        await read();
        tell(unfinished);
        unfinished = "";
      } finally {
        await handle.close();
      }
    },
  };
}
