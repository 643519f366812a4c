/** The modules that a Python program can import in every sandbox: the standard library, as far as it works there. */

const MODULES = new Set(
  `__future__ abc argparse array ast asyncio atexit base64 binascii bisect builtins bz2 calendar cmath code codecs collections
  colorsys concurrent configparser contextlib contextvars copy copyreg csv dataclasses datetime decimal difflib dis email
  encodings enum errno fileinput fnmatch fractions ftplib functools gc getopt getpass gettext glob graphlib gzip hashlib
  heapq hmac html http imaplib importlib inspect io ipaddress itertools json keyword linecache locale logging lzma
  mailbox marshal math mimetypes multiprocessing netrc ntpath numbers opcode operator optparse os pathlib pickle
  pickletools pkgutil platform plistlib poplib posixpath pprint profile pstats py_compile pydoc queue quopri random re
  reprlib runpy sched secrets select selectors shelve shlex shutil signal smtplib socket socketserver sqlite3 ssl stat
  statistics string stringprep struct subprocess symtable sys sysconfig tarfile tempfile textwrap threading time timeit
  token tokenize tomllib trace traceback tracemalloc types typing unicodedata unittest urllib uuid venv warnings wave
  weakref webbrowser wsgiref xml xmlrpc zipapp zipfile zipimport zlib zoneinfo`.split(/\s+/),
);

/** Those of the modules (dotted names count by their first part) that no sandbox has, each once, in order. */
export function missingPackages(modules: readonly string[]): readonly string[] {
  const packages = new Set(modules.map((name) => name.split(".", 1)[0] as string));
  return [...packages].filter((name) => name !== "" && !MODULES.has(name)).toSorted();
}
