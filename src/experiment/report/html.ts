/** The report as one self-contained page: no script, nothing fetched, readable in print and by screen readers. */
import type { Cell } from "../../evaluation/table.ts";
import { decidingTable, describeVerdict, exploratoryTable } from "./claim-tables.ts";
import type { Claim, Verdict } from "./claims.ts";
import { KEY } from "./names.ts";
import { PAGE_STYLE } from "./page-style.ts";
import { claimsPlot, costPlot, learningPlots, solveRatePlots, verifierPlots, type Plot } from "./plots.ts";
import type { ExperimentSummary } from "./summary.ts";
import { escapeXml } from "./svg.ts";
import { everyRateTable, solveRateTables, type ReportTable } from "./tables.ts";
import { describeScope, VERDICT_RULE } from "./text.ts";
import { costTables, recoverabilityTable, verifierTables } from "./verifier-tables.ts";

interface Section {
  readonly id: string;
  readonly title: string;
  readonly body: string;
}

export function renderExperimentHtml(summary: ExperimentSummary): string {
  const { info, claims } = summary;
  const tables = (list: readonly ReportTable[]): string => list.map(renderTableHtml).join("\n");
  const plots = (list: readonly Plot[]): string => list.map(renderFigure).join("\n");
  const sections: Section[] = [
    {
      id: "claims",
      title: "The paper's claims",
      body: [
        renderVerdicts(claims),
        `<p class="note">${escapeXml(VERDICT_RULE)}</p>`,
        plots(claimsPlot(summary)),
        tables([decidingTable(claims), exploratoryTable(claims)]),
      ].join("\n"),
    },
    { id: "solve-rates", title: "Solve rates beside the paper's", body: tables(solveRateTables(summary)) },
    {
      id: "verifiers",
      title: "The verifiers examined",
      body: tables(verifierTables(summary)),
    },
    { id: "recoverability", title: "One-step recoverability", body: tables([recoverabilityTable(summary)]) },
    { id: "costs", title: "What it cost", body: tables(costTables(summary)) },
    {
      id: "plots",
      title: "Plots",
      body: plots([
        ...solveRatePlots(summary),
        ...verifierPlots(summary),
        ...learningPlots(summary),
        ...costPlot(summary),
      ]),
    },
    { id: "every-rate", title: "Every arm under every protocol", body: tables([everyRateTable(summary)]) },
    { id: "provenance", title: "Configuration and provenance", body: renderProvenance(summary) },
  ].filter(({ body }) => body !== "");
  const contents = sections.map(({ id, title }) => `<li><a href="#${id}">${escapeXml(title)}</a></li>`).join("\n");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>${escapeXml(info.name)}: report</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<header>
<h1>${escapeXml(info.name)}</h1>
<p>${escapeXml(describeScope(summary))}.</p>
${renderDefinitions(KEY)}
</header>
<nav aria-label="Contents"><ul>
${contents}
</ul></nav>
<main>
${sections.map(({ id, title, body }) => `<section id="${id}">\n<h2>${escapeXml(title)}</h2>\n${body}\n</section>`).join("\n")}
</main>
</body>
</html>
`;
}

function renderVerdicts(claims: readonly Claim[]): string {
  const items = claims.map((claim) => {
    const verdict = `<span class="verdict ${verdictClass(claim.verdict)}">${escapeXml(describeVerdict(claim))}</span>`;
    return `<li>${escapeXml(claim.statement)} ${verdict}</li>`;
  });
  return `<ol>\n${items.join("\n")}\n</ol>`;
}

function verdictClass(verdict: Verdict): string {
  if (verdict === "holds") return "holds";
  return verdict === "does not hold" ? "fails" : "open";
}

function renderTableHtml({ id, title, columns, rows, note }: ReportTable): string {
  if (rows.length === 0) return "";
  const look = (index: number): string => (columns[index]?.align === "right" ? ' class="number"' : "");
  const head = columns.map(({ header }, index) => `<th scope="col"${look(index)}>${escapeXml(header)}</th>`).join("");
  const body = rows.map((row) => {
    const [name, ...cells] = columns.map((_, index) => show(row[index]));
    const rest = cells.map((cell, index) => `<td${look(index + 1)}>${cell}</td>`).join("");
    return `<tr><th scope="row">${name}</th>${rest}</tr>`;
  });
  return [
    `<div class="scroll" tabindex="0" role="region" aria-label="${escapeXml(title)}"><table id="table-${id}">`,
    `<caption>${escapeXml(title)}</caption>`,
    `<thead><tr>${head}</tr></thead>`,
    `<tbody>\n${body.join("\n")}\n</tbody>`,
    "</table></div>",
    ...(note === undefined ? [] : [`<p class="note">${escapeXml(note)}</p>`]),
  ].join("\n");
}

function show(cell: Cell): string {
  return cell === undefined || cell === "" ? "–" : escapeXml(String(cell));
}

function renderFigure({ id, title, caption, svg }: Plot): string {
  return `<figure id="${id}">\n${svg}\n<figcaption><strong>${escapeXml(title)}</strong>${escapeXml(caption)}</figcaption>\n</figure>`;
}

function renderProvenance({ info }: ExperimentSummary): string {
  const facts = [
    ["command", info.command],
    ["finished", info.finishedAt],
    ...info.provenance.map(({ label, value }) => [label, value]),
  ] as [string, string][];
  return `${renderDefinitions(facts)}\n<pre>${escapeXml(info.configuration)}</pre>`;
}

function renderDefinitions(pairs: readonly (readonly [string, string])[]): string {
  return `<dl>\n${pairs.map(([term, meaning]) => `<dt>${escapeXml(term)}</dt><dd>${escapeXml(meaning)}</dd>`).join("\n")}\n</dl>`;
}
