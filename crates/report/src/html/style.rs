//! The look of the page: light and dark by the reader's own setting, phone and paper.

/// Colours have a contrast of at least 4.5 to what is behind them, in both schemes.
pub(crate) const CSS: &str = "
:root { color-scheme: light dark; --back: #fbfaf8; --card: #ffffff; --ink: #1d1f22; --faint: #5b6068; --line: #dcdad5;
  --bad: #b3261e; --badback: #fdeceb; --good: #1b6b35; --odd: #7a5200; --oddback: #fff5dd; --link: #0b57d0; --code: #f3f1ed; }
@media (prefers-color-scheme: dark) { :root { --back: #131417; --card: #1b1d21; --ink: #e7e6e3; --faint: #a5a9b0; --line: #363a41;
  --bad: #ff9b93; --badback: #3a1c1b; --good: #7fd39a; --odd: #f0c674; --oddback: #33290f; --link: #9ec1ff; --code: #24272c; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 62rem; background: var(--back); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif; overflow-wrap: anywhere; }
a { color: var(--link); }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: 0.5rem; background: var(--card); padding: 0.3rem 0.6rem; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.brand { margin: 0; color: var(--faint); font-size: 0.85rem; letter-spacing: 0.04em; }
h1 { margin: 0.1rem 0 0.3rem; font-size: 1.5rem; line-height: 1.25; }
h2 { margin: 2.2rem 0 0.2rem; font-size: 1.25rem; }
h3 { display: inline; margin: 0; font-size: 1.08rem; line-height: 1.35; }
h4 { margin: 1.1rem 0 0.25rem; font-size: 0.8rem; color: var(--faint); text-transform: uppercase; letter-spacing: 0.05em; }
p { margin: 0.3rem 0; }
ul, ol { margin: 0.3rem 0; padding-left: 1.3rem; }
.lead { font-size: 1.12rem; }
.about, .facts, .faint, .answer { color: var(--faint); }
.facts span { display: inline-block; margin-right: 0.9rem; font-size: 0.9rem; }
.notice { border-left: 4px solid var(--odd); background: var(--oddback); padding: 0.5rem 0.8rem; border-radius: 0 6px 6px 0; }
.finding { background: var(--card); border: 1px solid var(--line); border-left: 4px solid var(--bad); border-radius: 8px;
  padding: 1rem 1.1rem; margin: 0.9rem 0; }
.finding.quiet { border-left-color: var(--odd); }
details.finding { padding: 0.7rem 1.1rem; margin: 0.5rem 0; }
.number { display: inline-block; min-width: 1.6rem; color: var(--bad); font-variant-numeric: tabular-nums; }
.quiet .number { color: var(--odd); }
summary { cursor: pointer; padding: 0.3rem 0; }
.finding > details { margin-top: 0.6rem; border-top: 1px solid var(--line); padding-top: 0.3rem; }
code, pre { font-family: ui-monospace, 'SF Mono', Menlo, Consolas, 'Liberation Mono', monospace; font-size: 0.9rem; }
code { background: var(--code); padding: 0.08em 0.3em; border-radius: 4px; }
pre { background: var(--code); margin: 0.4rem 0; padding: 0.7rem 0.8rem; border-radius: 6px; overflow-x: auto; overflow-wrap: normal;
  font-size: 0.84rem; line-height: 1.45; max-width: 100%; tab-size: 4; }
pre code { background: none; padding: 0; white-space: pre; font-size: inherit; }
.proof pre { max-height: 16rem; overflow: auto; }
.proof pre code { white-space: pre-wrap; overflow-wrap: anywhere; }
.proof li { margin: 0.7rem 0; }
.proof .shows { border-left: 3px solid var(--bad); padding-left: 0.6rem; margin-left: -0.75rem; }
.answer { font-size: 0.88rem; }
.place { margin-top: 0.5rem; }
.meta { display: grid; grid-template-columns: max-content 1fr; gap: 0.15rem 0.9rem; margin: 1rem 0 0; font-size: 0.86rem; color: var(--faint); }
.meta dd { margin: 0; }
.scroll { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; font-size: 0.92rem; margin: 0.5rem 0; }
caption { position: absolute; left: -99rem; }
th, td { text-align: left; vertical-align: top; padding: 0.35rem 0.9rem 0.35rem 0; border-bottom: 1px solid var(--line);
  overflow-wrap: break-word; min-width: 5rem; }
thead th { color: var(--faint); font-weight: 600; }
.tally td { font-size: 1.15rem; font-variant-numeric: tabular-nums; font-weight: 600; }
.tally .bad { color: var(--bad); } .tally .good { color: var(--good); } .tally .odd { color: var(--odd); } .tally .none { color: var(--faint); font-weight: 400; }
footer { margin-top: 2.5rem; border-top: 1px solid var(--line); color: var(--faint); font-size: 0.86rem; }
footer ul { list-style: none; padding: 0; }
@media (max-width: 34rem) { body { padding: 1rem 0.75rem 2rem; } .finding { padding: 0.8rem 0.75rem; }
  .meta { grid-template-columns: 1fr; } .meta dd { margin-bottom: 0.4rem; } .tally th, .tally td { min-width: 0; padding-right: 0.7rem; } }
@media print { :root { --back: #fff; --card: #fff; --ink: #000; --faint: #444; --line: #999; --code: #f4f4f4; --bad: #900; --odd: #640; --good: #040; }
  body { max-width: none; padding: 0; font-size: 10pt; } .skip { display: none; } .finding, .proof li { break-inside: avoid-page; }
  details::details-content { content-visibility: visible; block-size: auto; } pre code { white-space: pre-wrap; overflow-wrap: anywhere; }
  pre, .proof pre { max-height: none; overflow: visible; } }
";
