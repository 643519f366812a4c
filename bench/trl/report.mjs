/** The check's result as Markdown. */

/** @typedef {import("./agreement.mjs").Row} Row */
/** @typedef {{ name: string, steps: number, firstLoss: number, lastLoss: number, trlLastLoss: number, lossDifference: number, valueDifference: number, seconds: { embedded: number, trl: number }, agrees: boolean }} InStep */
/**
 * @typedef {object} Result
 * @property {{ trainTasks: number, testTasks: number, seeds: number }} sizes
 * @property {Record<string, string>} versions
 * @property {string} machine
 * @property {{ examples: number, pairs: number }[]} data by run
 * @property {boolean} equalRollouts
 * @property {{ name: string, equal: number, of: number }[]} servedEqual
 * @property {InStep[]} inStep
 * @property {Row[]} rows
 * @property {{ name: string, rows: number, columns: string[], problem: string | null }[]} exported
 * @property {Record<string, number>} seconds
 */

/** @param {Result} result @param {readonly string[]} problems */
export function renderReport(result, problems) {
  const { sizes, versions, data, servedEqual } = result;
  const counts = data.map(({ examples, pairs }) => `${examples} examples, ${pairs} pairs`);
  return [
    `${sizes.trainTasks} training tasks, ${sizes.testTasks} held-out tasks; the runs learned from ${counts.join(" and ")}; ` +
      `the embedded engine fitted ${sizes.seeds} times.`,
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", "),
    result.machine,
    "",
    "The same batches in the same order, from the same start:",
    "",
    table(
      [
        "fit",
        "steps",
        "first loss",
        "last loss, embedded",
        "last loss, TRL",
        "most that a step's loss differs",
        "… held-out values",
        "s, embedded",
        "s, TRL",
        "",
      ],
      result.inStep.map((one) => [
        one.name,
        `${one.steps}`,
        one.firstLoss.toFixed(4),
        one.lastLoss.toFixed(4),
        one.trlLastLoss.toFixed(4),
        one.lossDifference.toExponential(1),
        one.valueDifference.toExponential(1),
        one.seconds.embedded.toFixed(0),
        one.seconds.trl.toFixed(0),
        verdict(one.agrees),
      ]),
    ),
    "",
    "Whole iterations by TRL, and the embedded engine on the same recorded rollouts:",
    "",
    table(
      ["", "TRL", "embedded", "difference [95 %]", ""],
      result.rows.map((row) => [
        row.unit === "" ? row.name : `${row.name}, ${row.unit}`,
        number(row.trl, row.unit),
        number(row.embedded, row.unit),
        `${signed(row.difference, row.unit)} [${signed(row.low, row.unit)}, ${signed(row.high, row.unit)}]`,
        verdict(row.agrees),
      ]),
    ),
    "",
    `Rollouts of the two runs are equal: ${result.equalRollouts ? "yes" : "no"}.`,
    ...servedEqual.map(
      ({ name, equal, of }) =>
        `${name}: ${equal} of ${of} conversations of the evaluation through servers are those in this process.`,
    ),
    "",
    table(
      ["export", "rows that load_dataset opens", "columns"],
      result.exported.map((one) => [one.name, one.problem ?? `${one.rows}`, one.columns.join(", ")]),
    ),
    "",
    Object.entries(result.seconds)
      .map(([name, value]) => `${name}: ${value.toFixed(0)} s`)
      .join("; "),
    "",
    problems.length === 0
      ? "All pairs agree."
      : `Disagreements:\n${problems.map((problem) => `- ${problem}`).join("\n")}`,
  ].join("\n");
}

/** @param {readonly string[]} head @param {readonly (readonly string[])[]} rows */
function table(head, rows) {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** @param {number} value @param {string} unit */
function number(value, unit) {
  return unit === "%" ? (100 * value).toFixed(1) : value.toFixed(4);
}

/** @param {number} value @param {string} unit */
function signed(value, unit) {
  const text = number(Math.abs(value), unit);
  if (Number(text) === 0) return text;
  return `${value < 0 ? "−" : "+"}${text}`;
}

/** @param {boolean} agrees */
function verdict(agrees) {
  return agrees ? "agree" : "**disagree**";
}
