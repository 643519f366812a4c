/** The commands of `mucode`, in the order of its help. */
import type { RegisterCommand } from "./context.ts";

export const commands: readonly RegisterCommand[] = [];
