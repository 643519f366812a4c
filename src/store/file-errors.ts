/** Turns what the file system says into a {@link StoreError} a person can act on. */
import { StoreError } from "../errors.ts";

/** Node's error code (`ENOENT`, `ENOSPC`, …), or `undefined` for anything else. */
export function errorCode(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === "string" ? code : undefined;
}

/** The error to throw when `action` ("reading", "writing", …) on `file` failed with `cause`. */
export function fileError(action: string, file: string, cause: unknown): StoreError {
  if (cause instanceof StoreError) return cause;
  const code = errorCode(cause);
  return new StoreError(explain(action, file, code, cause), { action, file, code }, { cause });
}

function explain(action: string, file: string, code: string | undefined, cause: unknown): string {
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
      return `disk full while ${action} ${file}; free space and run the same command again: nothing finished is lost`;
    case "EACCES":
    case "EPERM":
      return `no permission for ${action} ${file}; mend the permissions of the file or its directory and run again`;
    case "EROFS":
      return `the file system is read-only: ${action} ${file} failed; choose another place`;
    case "EMFILE":
    case "ENFILE":
      return `too many open files while ${action} ${file}; raise the limit (ulimit -n) and run again`;
    default:
      return `${action} ${file} failed: ${cause instanceof Error ? cause.message : String(cause)}`;
  }
}
