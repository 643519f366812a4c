/**
 * The in-memory file system between programs: everything but the temporary and the home folder is made read-only at
 * start, and what a program left behind (files, open descriptors, working directory) is undone after it.
 */

const READ_ONLY = 69; // Emscripten's EROFS
const NO_SPACE = 51; // Emscripten's ENOSPC
const WRITABLE = ["/tmp", "/home/pyodide"];
/** Bytes all files of one program may hold together: they live outside the interpreter's capped memory. */
const MAX_FILE_BYTES = 16 * 2 ** 20;

/**
 * Freezes the tree of `FS` (Emscripten's file system object) and returns the function that cleans up after a program.
 * @param {any} FS
 */
export function freezeFileSystem(FS) {
  for (const name of Object.keys(FS.filesystems)) if (name !== "MEMFS") delete FS.filesystems[name];
  const refuse = () => {
    throw new FS.ErrnoError(READ_ONLY);
  };
  let written = 0;
  const frozen = new WeakSet();
  /** @type {(node: any) => void} */
  const freeze = (node) => {
    frozen.add(node);
    node.node_ops = {
      ...node.node_ops,
      setattr: refuse,
      mknod: refuse,
      rename: refuse,
      unlink: refuse,
      rmdir: refuse,
      symlink: refuse,
    };
    if (FS.isFile(node.mode)) node.stream_ops = { ...node.stream_ops, write: refuse, allocate: refuse };
  };
  /** @type {(path: string) => string[]} */
  const children = (path) =>
    FS.readdir(path)
      .filter((/** @type {string} */ name) => name !== "." && name !== "..")
      .map((/** @type {string} */ name) => (path === "/" ? `/${name}` : `${path}/${name}`));
  /** @type {(path: string, visit: (path: string, node: any) => void) => void} */
  const walk = (path, visit) => {
    const node = FS.lookupPath(path, { follow: false }).node;
    if (FS.isDir(node.mode)) for (const child of children(path)) walk(child, visit);
    visit(path, node);
  };

  for (const folder of WRITABLE) FS.mkdirTree(folder);
  const MEMFS = FS.filesystems.MEMFS;
  const operations = MEMFS.ops_table;
  const { write } = operations.file.stream;
  operations.file.stream.write = (/** @type {any[]} */ ...values) => {
    written += values[3];
    if (written > MAX_FILE_BYTES) throw new FS.ErrnoError(NO_SPACE);
    return write(...values);
  };
  const { setattr } = operations.file.node;
  operations.file.node.setattr = (/** @type {any} */ node, /** @type {any} */ attributes) => {
    if (attributes.size > MAX_FILE_BYTES) throw new FS.ErrnoError(NO_SPACE);
    return setattr(node, attributes);
  };
  const { rename } = operations.dir.node;
  operations.dir.node.rename = (/** @type {any} */ node, /** @type {any} */ folder, /** @type {string} */ name) => {
    if (frozen.has(folder)) refuse();
    return rename(node, folder, name);
  };
  walk("/", (path, node) => {
    if (!WRITABLE.includes(path)) freeze(node);
  });

  const standard = FS.streams.slice(0, 3).map((/** @type {any} */ stream) => {
    // Printing is thrown away before anything is decoded; reading finds the end of the input.
    stream.stream_ops = {
      ...stream.stream_ops,
      read: () => 0,
      write: (
        /** @type {any} */ _stream,
        /** @type {any} */ _buffer,
        /** @type {number} */ _offset,
        /** @type {number} */ n,
      ) => n,
      close: () => {},
    };
    return { stream, saved: { ...stream }, shared: { ...stream.shared } };
  });

  return function clean() {
    written = 0;
    for (let fd = FS.streams.length - 1; fd >= 3; fd--) {
      if (!FS.streams[fd]) continue;
      try {
        FS.close(FS.streams[fd]);
      } catch {
        FS.streams[fd] = null;
      }
    }
    FS.streams.length = 3;
    for (const [fd, { stream, saved, shared }] of standard.entries()) {
      Object.assign(stream, saved);
      Object.assign(stream.shared, shared);
      FS.streams[fd] = stream;
    }
    FS.chdir("/home/pyodide");
    for (const folder of WRITABLE) {
      const root = FS.lookupPath(folder).node;
      root.mode = 0o40777;
      for (const child of children(folder)) {
        walk(child, (path, node) => {
          if (FS.isDir(node.mode)) FS.rmdir(path);
          else FS.unlink(path);
        });
      }
    }
  };
}
