/** The look of the report: light and dark by the reader's setting, plain on paper; hues by Okabe and Ito. */
export const PAGE_STYLE = `
:root { color-scheme: light dark; --ink: #1c1c1e; --soft: #5c5c63; --paper: #ffffff; --line: #d9d9de; --shade: #f4f4f6;
  --good: #00704f; --bad: #b03a00; --c0: #0072b2; --c1: #d55e00; --c2: #008a66; --c3: #b3568c; --c4: #946c00; --c5: #2f8fc4;
  --c6: #55555c; --c7: #7a4fc0; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececf0; --soft: #a5a5ae; --paper: #16161a; --line: #38383f;
  --shade: #202026; --good: #45c79c; --bad: #ff9460; --c0: #56b4e9; --c1: #ff8a3d; --c2: #2fc498; --c3: #e58fc0; --c4: #e0b040;
  --c5: #8ed0f5; --c6: #b0b0b8; --c7: #b697f0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1, h2, h3 { line-height: 1.2; }
h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); padding-bottom: .3rem; }
a { color: var(--c0); }
nav ul { columns: 2; padding-left: 1.2rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; }
dt { font-weight: 600; }
dd { margin: 0; overflow-wrap: anywhere; }
.verdict { font-weight: 700; }
.holds { color: var(--good); }
.fails { color: var(--bad); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; font-size: 1rem; padding: 1.2rem 0 .3rem; }
th, td { padding: .3rem .6rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th[scope=col] { background: var(--shade); }
th[scope=row] { font-weight: 500; min-width: 9rem; }
.number { text-align: right; white-space: nowrap; }
.note, figcaption { color: var(--soft); font-size: .85rem; max-width: 60rem; }
figure { margin: 1.5rem 0; max-width: 52rem; break-inside: avoid; }
figcaption strong { display: block; color: var(--ink); font-size: 1rem; }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif; }
svg text { fill: var(--ink); }
svg .grid { stroke: var(--line); }
svg .axis { stroke: var(--soft); }
svg .band { stroke: none; opacity: .13; }
svg .whisker { stroke: var(--ink); stroke-width: 1.5; }
svg rect { opacity: .8; }
svg polyline, svg line[class^=s] { stroke-width: 2; }
${Array.from({ length: 8 }, (_, index) => `.s${index} { fill: var(--c${index}); stroke: var(--c${index}); }`).join("\n")}
.s0 rect, .s1 rect, .s2 rect, .s3 rect, .part { stroke: none; }
pre { background: var(--shade); padding: 1rem; overflow-x: auto; font-size: .8rem; }
@media print { :root { --ink: #000; --soft: #333; --paper: #fff; --line: #bbb; --shade: #f2f2f2; --c0: #0072b2; --c1: #d55e00;
  --c2: #008a66; --c3: #b3568c; } body { max-width: none; padding: 0; font-size: 10pt; } nav { display: none; }
  .scroll { overflow: visible; } table { font-size: 7pt; } h2 { break-after: avoid; } }
`.trim();
