/** Something costly, as a server is, that is opened by the first who needs it and closed once for all of them. */
export interface OpenedOnce<T> {
  get(): Promise<T>;
  /** Nothing where nobody asked for it. */
  close(): Promise<void>;
}

export function openedOnce<T extends { close(): Promise<void> }>(open: () => Promise<T>): OpenedOnce<T> {
  let opening: Promise<T> | undefined;
  return {
    get() {
      opening ??= open();
      return opening;
    },
    async close() {
      // What could not be opened has told so to whoever asked for it.
      const opened = await opening?.catch(() => undefined);
      await opened?.close();
    },
  };
}
