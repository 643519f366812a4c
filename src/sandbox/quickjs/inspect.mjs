/**
 * Text of values as Node's `console.log` and `util.inspect` print them, white space aside. Evaluated in the program's realm
 * when it is first needed, from its source text: it must not use anything outside itself.
 */

export function createInspect() {
  const MAX_ITEMS = 100;
  const MAX_LINE = 72;
  const TypedArray = Object.getPrototypeOf(Uint8Array);

  /** @type {(text: string) => string} */
  function quoted(text) {
    const quote = !text.includes("'") ? "'" : !text.includes('"') ? '"' : !text.includes("`") ? "`" : "'";
    const escapes = /** @type {Record<string, string>} */ ({ "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b" });
    let out = "";
    for (const c of text) {
      if (c === "\\" || c === quote) out += "\\" + c;
      else if (escapes[c] !== undefined) out += escapes[c];
      else if (c < " " || c === "\x7f") out += "\\x" + c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0");
      else out += c;
    }
    return quote + out + quote;
  }

  /** @type {(value: any) => string} */
  function primitive(value) {
    if (typeof value === "string") return quoted(value);
    if (typeof value === "bigint") return value + "n";
    return Object.is(value, -0) ? "-0" : String(value);
  }

  /** Name of the class that made the object; null where there is none. @type {(value: any) => string | null} */
  function classOf(value) {
    for (let at = value; at !== null; at = Object.getPrototypeOf(at)) {
      const made = Object.getOwnPropertyDescriptor(at, "constructor")?.value;
      if (typeof made === "function" && made.name !== "" && value instanceof made) return made.name;
    }
    return null;
  }

  /** @type {(value: any) => string} */
  function functionText(value) {
    const source = Function.prototype.toString.call(value);
    const name = typeof value.name === "string" ? value.name : "";
    if (/^class\b/.test(source)) {
      const base = Object.getPrototypeOf(value);
      const after = base === Function.prototype || base === null ? "" : ` extends ${base.name}`;
      return `[class ${name === "" ? "(anonymous)" : name}${after}]`;
    }
    const kind = Object.prototype.toString.call(value).slice(8, -1);
    return name === "" ? `[${kind} (anonymous)]` : `[${kind}: ${name}]`;
  }

  /** @type {(left: string, parts: string[], right: string) => string} */
  function enclosed(left, parts, right) {
    if (parts.length === 0) return left + right;
    const line = parts.join(", ");
    if (line.length + parts.length <= MAX_LINE && !line.includes("\n")) return `${left} ${line} ${right}`;
    return `${left}\n  ${parts.join(",\n").replaceAll("\n", "\n  ")}\n${right}`;
  }

  /** @type {(count: number) => string} */
  const more = (count) => `... ${count} more item${count > 1 ? "s" : ""}`;

  return function inspect(/** @type {any} */ root, /** @type {any} */ options = {}) {
    const deepest = options.depth === undefined ? 2 : options.depth === null ? Infinity : options.depth;
    /** @type {any[]} */
    const above = [];
    const circular = new Map();

    /** @type {(value: any, key: PropertyKey, level: number) => string} */
    function member(value, key, level) {
      const property = /** @type {PropertyDescriptor} */ (Object.getOwnPropertyDescriptor(value, key));
      if (property.get || property.set)
        return property.get ? (property.set ? "[Getter/Setter]" : "[Getter]") : "[Setter]";
      return show(property.value, level + 1);
    }

    /** @type {(value: any, level: number, skip: (key: string) => boolean) => string[]} */
    function members(value, level, skip) {
      const parts = [];
      for (const key of Reflect.ownKeys(value)) {
        if (!Object.prototype.propertyIsEnumerable.call(value, key) || (typeof key === "string" && skip(key))) continue;
        const name = typeof key === "symbol" ? `[${String(key)}]` : /^[A-Za-z_]\w*$/.test(key) ? key : quoted(key);
        parts.push(`${name}: ${member(value, key, level)}`);
      }
      return parts;
    }

    /** @type {(value: any, length: number, level: number) => string[]} */
    function elements(value, length, level) {
      const parts = [];
      let index = 0;
      for (; index < length && parts.length < MAX_ITEMS; index++) {
        if (Object.hasOwn(value, index)) {
          parts.push(member(value, index, level));
          continue;
        }
        const start = index;
        while (index + 1 < length && !Object.hasOwn(value, index + 1)) index++;
        parts.push(`<${index - start + 1} empty item${index > start ? "s" : ""}>`);
      }
      if (index < length) parts.push(more(length - index));
      return parts;
    }

    /** @type {(value: any, level: number) => string} */
    function show(value, level) {
      if (value === null || (typeof value !== "object" && typeof value !== "function")) return primitive(value);
      if (above.includes(value)) {
        if (!circular.has(value)) circular.set(value, circular.size + 1);
        return `[Circular *${circular.get(value)}]`;
      }
      const name = classOf(value);
      const hides = Object.keys(value).length > 0 || ((value instanceof Map || value instanceof Set) && value.size > 0);
      if (level > deepest && hides && typeof value === "object")
        return Array.isArray(value) ? "[Array]" : `[${name ?? "Object: null prototype"}]`;
      above.push(value);
      const text = body(value, name, level);
      above.pop();
      return circular.has(value) ? `<ref *${circular.get(value)}> ${text}` : text;
    }

    /** @type {(value: any, name: string | null, level: number) => string} */
    function body(value, name, level) {
      const isIndex = (/** @type {string} */ key) => String(Number(key) >>> 0) === key;
      const none = () => false;
      if (Array.isArray(value)) {
        const left = name === "Array" ? "[" : `${name ?? "[Array: null prototype]"}(${value.length}) [`;
        return enclosed(left, [...elements(value, value.length, level), ...members(value, level, isIndex)], "]");
      }
      if (value instanceof TypedArray) {
        const left = `${name}(${value.length}) [`;
        return enclosed(left, [...elements(value, value.length, level), ...members(value, level, isIndex)], "]");
      }
      const own = members(value, level, none);
      /** @type {(text: string) => string} */
      const annotated = (text) => (own.length === 0 ? text : enclosed(`${text} {`, own, "}"));
      if (typeof value === "function") return annotated(functionText(value));
      if (value instanceof Map || value instanceof Set) {
        const parts = [];
        for (const item of value instanceof Map
          ? Map.prototype.entries.call(value)
          : Set.prototype.values.call(value)) {
          if (parts.length === MAX_ITEMS) break;
          parts.push(
            value instanceof Map ? `${show(item[0], level + 1)} => ${show(item[1], level + 1)}` : show(item, level + 1),
          );
        }
        if (value.size > MAX_ITEMS) parts.push(more(value.size - MAX_ITEMS));
        return enclosed(`${name}(${value.size}) {`, [...parts, ...own], "}");
      }
      if (value instanceof Date)
        return annotated(Number.isNaN(value.getTime()) ? "Invalid Date" : Date.prototype.toISOString.call(value));
      if (value instanceof RegExp) return annotated(RegExp.prototype.toString.call(value));
      if (value instanceof Error) {
        const head = Error.prototype.toString.call(value);
        const text = typeof value.stack === "string" && value.stack !== "" ? `${head}\n${value.stack.trimEnd()}` : head;
        return annotated(level > 0 ? `[${text}]` : text);
      }
      for (const kind of /** @type {any[]} */ ([Number, String, Boolean, BigInt, Symbol]))
        if (value instanceof kind) return `[${kind.name}: ${primitive(kind.prototype.valueOf.call(value))}]`;
      if (value instanceof WeakMap || value instanceof WeakSet) return `${name} { <items unknown> }`;
      if (value instanceof Promise) return enclosed("Promise {", own, "}");
      const tag = value[Symbol.toStringTag];
      const plain = name === "Object" ? "" : `${name ?? "[Object: null prototype]"} `;
      const tagged = typeof tag === "string" && tag !== "" && tag !== name ? `${name ?? ""} [${tag}] ` : plain;
      return enclosed(`${tagged}{`, own, "}");
    }

    return show(root, 0);
  };
}

/** `util.format`: what `console.log` prints for its arguments. */
export function createFormat(/** @type {(value: any, options?: any) => string} */ inspect) {
  return function format(/** @type {any[]} */ ...items) {
    let next = 0;
    let text = "";
    if (typeof items[0] === "string" && items.length > 1 && items[0].includes("%")) {
      next = 1;
      text = items[0].replace(/%[sdifjoOc%]/g, (directive) => {
        if (directive === "%%") return "%";
        if (next >= items.length) return directive;
        const item = items[next++];
        if (directive === "%c") return "";
        if (directive === "%s")
          return typeof item === "object" && item !== null ? inspect(item, { depth: 0 }) : String(item);
        if (directive === "%d") return typeof item === "bigint" ? `${item}n` : String(Number(item));
        if (directive === "%i") return String(Number.parseInt(item, 10));
        if (directive === "%f") return String(Number.parseFloat(item));
        if (directive === "%j") return String(JSON.stringify(item));
        return inspect(item, { depth: 4 });
      });
      if (next < items.length) text += " ";
    }
    for (let first = next; next < items.length; next++) {
      const item = items[next];
      text += (next > first ? " " : "") + (typeof item === "string" ? item : inspect(item));
    }
    return text;
  };
}
