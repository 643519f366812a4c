/** Follows a log that another process writes, from where it ended when the following began. */
import { open, stat, type FileHandle } from "node:fs/promises";

export interface LogTail {
  /** Reads what has been written since the last call, and tells the complete lines. */
  read(): Promise<void>;
  /** The latest lines, oldest first, an unfinished one included. */
  lastLines(): readonly string[];
  close(): Promise<void>;
}

const keptLines = 30;
const longestLine = 2000;
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
  let reading: Promise<void> | undefined;

  const readAll = async (): Promise<void> => {
    for (;;) {
      const { bytesRead } = await handle.read(block, 0, blockSize, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      const parts = (unfinished + decoder.decode(block.subarray(0, bytesRead), { stream: true })).split(lineEnd);
      unfinished = (parts.pop() ?? "").slice(-longestLine);
      for (const line of parts) {
        if (line.trim() === "") continue;
        lines.push(line.slice(0, longestLine));
        if (lines.length > keptLines) lines.shift();
        onLine?.(line);
      }
    }
  };

  return {
    read() {
      reading ??= readAll().finally(() => {
        reading = undefined;
      });
      return reading;
    },
    lastLines: () => (unfinished.trim() === "" ? [...lines] : [...lines, unfinished]),
    async close() {
      await reading;
      await handle.close();
    },
  };
}
