/**
 * `URL` and `URLSearchParams` after the WHATWG standard, without its tables: host names that are not ASCII are refused
 * (they need Unicode's rules for domain names, which take more room than the interpreter), as are IPv6 addresses that are not
 * plain, and IPv4 numbers are taken in dotted decimal form only. Evaluated in the program's realm when it is first needed,
 * from its source text: it must not use anything outside itself.
 */

/** @returns {{ URL: any, URLSearchParams: any }} */
export function createUrl() {
  const PORTS = /** @type {Record<string, string>} */ ({
    "http:": "80",
    "https:": "443",
    "ws:": "80",
    "wss:": "443",
    "ftp:": "21",
    "file:": "",
  });
  const C0 = "";
  const FRAGMENT = ' "<>`';
  const QUERY = ' "#<>';
  const PATH = QUERY + "?`{}^";
  const USER = PATH + "/:;=@[\\]|";

  /** Percent-encodes what is not printable ASCII and the characters of a set. @type {(text: string, set: string) => string} */
  function encoded(text, set) {
    let out = "";
    for (const c of text) {
      if (c < " " || c > "~") out += encodeURIComponent(/^[\ud800-\udfff]$/.test(c) ? "\ufffd" : c);
      else out += set.includes(c) ? "%" + c.charCodeAt(0).toString(16).toUpperCase() : c;
    }
    return out;
  }

  /** Undoes percent-encoding; bytes that are no UTF-8 become U+FFFD. @type {(text: string) => string} */
  function decoded(text) {
    return text.replace(/(?:%[\dA-Fa-f]{2})+/g, (run) => {
      try {
        return decodeURIComponent(run);
      } catch {
        return run.replace(/%([0-7][\dA-Fa-f])|(?:%[89A-Fa-f][\dA-Fa-f])+/g, (part, ascii) => {
          if (ascii !== undefined) return String.fromCharCode(Number.parseInt(ascii, 16));
          try {
            return decodeURIComponent(part);
          } catch {
            return "\ufffd";
          }
        });
      }
    });
  }

  /** @type {(input: string) => never} */
  function invalid(input) {
    throw Object.assign(new TypeError("Invalid URL"), { code: "ERR_INVALID_URL", input });
  }

  /** @type {(text: string, special: boolean, input: string) => string} */
  function hostOf(text, special, input) {
    if (text.startsWith("[")) {
      if (!/^\[[\dA-Fa-f:]+(?:\d+\.\d+\.\d+\.\d+)?\]$/.test(text)) invalid(input);
      return text.toLowerCase();
    }
    if (!special) {
      if (/[\0\t\n\r #/:<>?@[\\\]^|]/.test(text)) invalid(input);
      return encoded(text, C0);
    }
    const host = decoded(text).toLowerCase();
    if (host === "" || /[^\x21-\x7e]|[#/:<>?@[\\\]^|%]/.test(host)) invalid(input);
    const labels = host.replace(/\.$/, "").split(".");
    if (!/^(?:\d+|0x[\da-f]*)$/.test(/** @type {string} */ (labels.at(-1)))) return host;
    if (labels.length !== 4 || labels.some((label) => !/^(?:0|[1-9]\d{0,2})$/.test(label) || Number(label) > 255))
      invalid(input);
    return labels.join(".");
  }

  /** @type {(path: string, special: boolean, isFile: boolean) => string} */
  function normalized(path, special, isFile) {
    const parts = (special ? path.replaceAll("\\", "/") : path).split("/").slice(1);
    /** @type {string[]} */
    const out = [];
    for (const [index, part] of parts.entries()) {
      const last = index === parts.length - 1;
      const plain = part.toLowerCase().replaceAll("%2e", ".");
      if (plain === "..") {
        if (!(isFile && out.length === 1 && /^[A-Za-z]:$/.test(out[0] ?? ""))) out.pop();
        if (last) out.push("");
      } else if (plain === ".") {
        if (last) out.push("");
      } else out.push(encoded(part, PATH));
    }
    return "/" + out.join("/");
  }

  /** @typedef {{ protocol: string, username: string, password: string, host: string | null, port: string, path: string, query: string | null, fragment: string | null }} Parts */

  /** @type {(parts: Parts, text: string, input: string) => void} */
  function setAuthority(parts, text, input) {
    const special = parts.protocol in PORTS;
    const at = text.lastIndexOf("@");
    if (at >= 0) {
      const [user, ...rest] = text.slice(0, at).split(":");
      parts.username = encoded(user ?? "", USER);
      parts.password = encoded(rest.join(":"), USER);
    }
    const place = text.slice(at + 1);
    const [, host = "", port = ""] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/s.exec(place) ?? invalid(input);
    if (!/^\d*$/.test(port) || Number(port) > 65_535) invalid(input);
    if (host === "" && (at >= 0 || port !== "")) invalid(input);
    if (parts.protocol === "file:") {
      if (at >= 0 || port !== "") invalid(input);
      parts.host = host === "" || host.toLowerCase() === "localhost" ? "" : hostOf(host, true, input);
      return;
    }
    parts.host = host === "" && !special ? "" : hostOf(host, special, input);
    const number = port === "" ? "" : String(Number(port));
    parts.port = number === PORTS[parts.protocol] ? "" : number;
  }

  /** @type {(input: string, base: Parts | null) => Parts} */
  function parse(input, base) {
    // oxlint-disable-next-line no-control-regex -- The standard names them.
    const text = input.replace(/^[\0- ]+|[\0- ]+$/g, "").replace(/[\t\n\r]/g, "");
    const [, scheme, afterScheme = ""] = /^([A-Za-z][\w+.-]*:)(.*)$/s.exec(text) ?? [];
    const protocol = scheme?.toLowerCase() ?? base?.protocol ?? invalid(input);
    const special = protocol in PORTS;
    const relative =
      scheme === undefined ||
      (base !== null && special && protocol === base.protocol && !/^[/\\]{2}/.test(afterScheme));
    let rest = scheme === undefined ? text : afterScheme;
    /** @type {string | null} */
    let fragment = null;
    const hash = rest.indexOf("#");
    if (hash >= 0) {
      fragment = encoded(rest.slice(hash + 1), FRAGMENT);
      rest = rest.slice(0, hash);
    }
    /** @type {string | null} */
    let query = null;
    const mark = rest.indexOf("?");
    if (mark >= 0) {
      query = encoded(rest.slice(mark + 1), special ? QUERY + "'" : QUERY);
      rest = rest.slice(0, mark);
    }
    const slashes = special ? rest.replaceAll("\\", "/") : rest;
    /** @type {Parts} */
    const parts = { protocol, username: "", password: "", host: null, port: "", path: "", query, fragment };
    const isFile = protocol === "file:";
    if (slashes.startsWith("//") || (special && !isFile && !relative)) {
      const place = special && !isFile ? slashes.replace(/^\/*/, "") : slashes.slice(2);
      const end = place.indexOf("/");
      setAuthority(parts, end < 0 ? place : place.slice(0, end), input);
      const path = end < 0 ? "" : place.slice(end);
      parts.path = path === "" && !special ? "" : normalized(path === "" ? "/" : path, special, isFile);
      return parts;
    }
    if (relative && base !== null) {
      if (base.host === null && !base.path.startsWith("/")) {
        if (rest !== "" || query !== null || fragment === null) invalid(input);
        return { ...base, fragment };
      }
      const { username, password, host, port } = base;
      Object.assign(parts, { username, password, host, port });
      if (slashes === "") {
        parts.path = base.path;
        if (mark < 0) parts.query = base.query;
        return parts;
      }
      const folder = base.path.slice(0, base.path.lastIndexOf("/") + 1) || "/";
      parts.path = normalized(slashes.startsWith("/") ? slashes : folder + slashes, special, isFile);
      return parts;
    }
    if (isFile) parts.host = "";
    if (isFile || slashes.startsWith("/"))
      parts.path = normalized(slashes.startsWith("/") ? slashes : `/${slashes}`, special, isFile);
    else parts.path = encoded(rest, C0);
    return parts;
  }

  /** @type {(text: string) => string} */
  const formEncoded = (text) =>
    encodeURIComponent(/** @type {any} */ (text).toWellFormed())
      .replace(/[!'()~]/g, (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase())
      .replaceAll("%20", "+");

  class URLSearchParams {
    /** @type {[string, string][]} */
    #pairs = [];
    /** @type {((text: string) => void) | null} */
    #changed = null;

    constructor(/** @type {any} */ init = "", /** @type {any} */ changed = null) {
      this.#changed = typeof changed === "function" ? changed : null;
      if (typeof init === "object" && init !== null) {
        const list = typeof init[Symbol.iterator] === "function" ? [...init] : Object.entries(init);
        for (const pair of list) {
          const [name, value, ...rest] = pair;
          if (value === undefined || rest.length > 0)
            throw new TypeError("Each query pair must be an iterable [name, value] tuple");
          this.#pairs.push([String(name), String(value)]);
        }
      } else this.#read(String(init));
    }
    #read(/** @type {string} */ text) {
      this.#pairs = [];
      for (const part of text.replace(/^\?/, "").split("&")) {
        if (part === "") continue;
        const [name, ...value] = part.replaceAll("+", " ").split("=");
        this.#pairs.push([decoded(name ?? ""), decoded(value.join("="))]);
      }
    }
    #write() {
      this.#changed?.(this.toString());
    }
    get size() {
      return this.#pairs.length;
    }
    append(/** @type {any} */ name, /** @type {any} */ value) {
      this.#pairs.push([String(name), String(value)]);
      this.#write();
    }
    delete(/** @type {any} */ name, /** @type {any} */ value) {
      this.#pairs = this.#pairs.filter(([n, v]) => n !== String(name) || (value !== undefined && v !== String(value)));
      this.#write();
    }
    get(/** @type {any} */ name) {
      return this.#pairs.find(([n]) => n === String(name))?.[1] ?? null;
    }
    getAll(/** @type {any} */ name) {
      return this.#pairs.filter(([n]) => n === String(name)).map(([, value]) => value);
    }
    has(/** @type {any} */ name, /** @type {any} */ value) {
      return this.#pairs.some(([n, v]) => n === String(name) && (value === undefined || v === String(value)));
    }
    set(/** @type {any} */ name, /** @type {any} */ value) {
      const first = this.#pairs.find(([n]) => n === String(name));
      if (first === undefined) return this.append(name, value);
      first[1] = String(value);
      this.#pairs = this.#pairs.filter((pair) => pair === first || pair[0] !== String(name));
      this.#write();
    }
    sort() {
      this.#pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
      this.#write();
    }
    forEach(/** @type {any} */ callback, /** @type {any} */ that) {
      for (const [name, value] of this) callback.call(that, value, name, this);
    }
    *entries() {
      for (let i = 0; i < this.#pairs.length; i++) yield [.../** @type {[string, string]} */ (this.#pairs[i])];
    }
    *keys() {
      for (const [name] of this.entries()) yield name;
    }
    *values() {
      for (const [, value] of this.entries()) yield value;
    }
    [Symbol.iterator]() {
      return this.entries();
    }
    toString() {
      return this.#pairs.map(([name, value]) => `${formEncoded(name)}=${formEncoded(value)}`).join("&");
    }
    get [Symbol.toStringTag]() {
      return "URLSearchParams";
    }
  }

  class URL {
    /** @type {Parts} */
    #parts;
    /** @type {URLSearchParams} */
    #params;

    constructor(/** @type {any} */ input, /** @type {any} */ base = undefined) {
      this.#parts = parse(String(input), base === undefined ? null : parse(String(base), null));
      this.#params = this.#paramsOf();
    }
    #paramsOf() {
      return new URLSearchParams(this.#parts.query ?? "", (/** @type {string} */ text) => {
        this.#parts.query = text === "" ? null : text;
      });
    }
    static canParse(/** @type {any} */ input, /** @type {any} */ base = undefined) {
      try {
        return Boolean(new URL(input, base));
      } catch {
        return false;
      }
    }
    /** Takes over the parts of a changed text; one that is no URL changes nothing, as the standard has it. */
    #become(/** @type {() => Parts} */ change) {
      try {
        this.#parts = change();
      } catch {
        return;
      }
      this.#params = this.#paramsOf();
    }
    get href() {
      const { protocol, username, password, path, query, fragment } = this.#parts;
      const user = username === "" && password === "" ? "" : `${username}${password === "" ? "" : `:${password}`}@`;
      const place = this.#parts.host === null ? "" : `//${user}${this.host}`;
      return `${protocol}${place}${path}${query === null ? "" : `?${query}`}${fragment === null ? "" : `#${fragment}`}`;
    }
    set href(text) {
      this.#parts = parse(String(text), null);
      this.#params = this.#paramsOf();
    }
    get origin() {
      const { protocol } = this.#parts;
      return protocol in PORTS && protocol !== "file:" ? `${protocol}//${this.host}` : "null";
    }
    get protocol() {
      return this.#parts.protocol;
    }
    set protocol(text) {
      const scheme = /^[A-Za-z][\w+.-]*/.exec(String(text))?.[0].toLowerCase();
      if (scheme === undefined || `${scheme}:` in PORTS !== this.#parts.protocol in PORTS) return;
      const { port } = this.#parts;
      this.#parts.protocol = `${scheme}:`;
      if (port === PORTS[`${scheme}:`]) this.#parts.port = "";
    }
    get username() {
      return this.#parts.username;
    }
    set username(text) {
      if (this.#parts.host) this.#parts.username = encoded(String(text), USER);
    }
    get password() {
      return this.#parts.password;
    }
    set password(text) {
      if (this.#parts.host) this.#parts.password = encoded(String(text), USER);
    }
    get host() {
      const { host, port } = this.#parts;
      return `${host ?? ""}${port === "" ? "" : `:${port}`}`;
    }
    set host(text) {
      this.#become(() => {
        const parts = { ...this.#parts };
        const { username, password } = parts;
        setAuthority(parts, String(text).split(/[/?#\\]/)[0] ?? "", String(text));
        return { ...parts, username, password, port: /:\d/.test(String(text)) ? parts.port : this.#parts.port };
      });
    }
    get hostname() {
      return this.#parts.host ?? "";
    }
    set hostname(text) {
      this.#become(() => ({ ...this.#parts, host: hostOf(String(text), this.#parts.protocol in PORTS, String(text)) }));
    }
    get port() {
      return this.#parts.port;
    }
    set port(text) {
      const number = /^\d*/.exec(String(text))?.[0] ?? "";
      if ((number === "" && String(text) !== "") || Number(number) > 65_535 || !this.#parts.host) return;
      const port = number === "" ? "" : String(Number(number));
      this.#parts.port = port === PORTS[this.#parts.protocol] ? "" : port;
    }
    get pathname() {
      return this.#parts.path;
    }
    set pathname(text) {
      if (this.#parts.host === null && !this.#parts.path.startsWith("/")) return;
      const path = String(text);
      const special = this.#parts.protocol in PORTS;
      const start = path.startsWith("/") || (special && path.startsWith("\\")) ? "" : "/";
      this.#parts.path = normalized(start + path, special, this.#parts.protocol === "file:");
    }
    get search() {
      return this.#parts.query ? `?${this.#parts.query}` : "";
    }
    set search(text) {
      const query = String(text).replace(/^\?/, "");
      const set = this.#parts.protocol in PORTS ? QUERY + "'" : QUERY;
      this.#parts.query = query === "" ? null : encoded(query, set);
      this.#params = this.#paramsOf();
    }
    get searchParams() {
      return this.#params;
    }
    get hash() {
      return this.#parts.fragment ? `#${this.#parts.fragment}` : "";
    }
    set hash(text) {
      const fragment = String(text).replace(/^#/, "");
      this.#parts.fragment = fragment === "" ? null : encoded(fragment, FRAGMENT);
    }
    toString() {
      return this.href;
    }
    toJSON() {
      return this.href;
    }
    get [Symbol.toStringTag]() {
      return "URL";
    }
  }

  return { URL, URLSearchParams };
}
