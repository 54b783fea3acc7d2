//! What the page of a run adds to the look of all pages, and its script.

pub(super) const SCRIPT: &str = include_str!("script.js");
/// Nothing but these bytes may run: a test computes it.
pub(super) const SCRIPT_HASH: &str = "sha256-q5hSl19pCYL28dydSn2s393nEIhTavOFf+bkvOx58eg=";

/// Colours only repeat what a sign says.
pub(super) const BOARD: &str = "
:root { --goodback: #e4f3e8; --panel: #ffffff; --shade: rgb(0 0 0 / 0.35); }
@media (prefers-color-scheme: dark) { :root { --goodback: #16301f; --panel: #1b1d21; --shade: rgb(0 0 0 / 0.6); } }
body.board { max-width: 76rem; }
nav a { margin-right: 1rem; }
nav { margin-top: 0.8rem; }
.board .tally td, .board .tally th { min-width: 0; white-space: nowrap; }
.legend { font-size: 0.9rem; }
.sign { display: inline-block; min-width: 1.6rem; text-align: center; border-radius: 4px; font-weight: 700; margin-left: 0.7rem; }
.sign:first-child { margin-left: 0; }
.v-x { color: var(--bad); background: var(--badback); } .v-a { color: var(--odd); background: var(--oddback); }
.v-r { color: var(--good); background: var(--goodback); } .v-u { color: var(--ink); background: var(--code); outline: 1px dashed var(--faint); outline-offset: -1px; }
.v-n { color: var(--faint); background: var(--code); }
.heat { border-collapse: separate; border-spacing: 0; font-size: 0.85rem; }
.heat th, .heat td { padding: 1px 2px; border-bottom: 0; min-width: 0; white-space: nowrap; text-align: center; vertical-align: middle; }
.heat tbody th[scope=row] { text-align: left; padding-right: 0.8rem; position: sticky; left: 0; background: var(--back); z-index: 1; font-weight: 400; }
.heat tbody th[scope=row] a { color: var(--ink); text-decoration: none; } .heat tbody th[scope=row] a:hover { text-decoration: underline; }
.heat thead td { position: sticky; left: 0; background: var(--back); z-index: 1; }
.heat thead th { padding: 1px 6px; } .heat:not(.upwards) thead th[scope=col] { min-width: 5.6rem; } .heat thead th[scope=colgroup] { color: var(--ink); text-align: left; }
.heat .begins { border-left: 2px solid var(--line); padding-left: 6px; }
.heat td a { display: block; min-width: 2rem; min-height: 1.6rem; line-height: 1.6rem; border-radius: 4px; font-weight: 700; text-decoration: none; font-size: 1rem; }
.heat td a:hover, .heat td a:target { box-shadow: inset 0 0 0 2px var(--link); }
.heat td a:focus-visible { outline-offset: 0; }
.upwards thead th[scope=col] { vertical-align: bottom; } .upwards thead th span { writing-mode: vertical-rl; transform: rotate(180deg); white-space: nowrap; }
.cell:focus-visible { outline-offset: -3px; }
.upwards td a { min-width: 1.5rem; }
tr.tier th { text-align: left !important; padding-top: 0.9rem !important; color: var(--faint); font-weight: 600; }
tr.tier th span { position: sticky; left: 0; }
tr.foot td, tr.foot th { border-top: 1px solid var(--line) !important; font-variant-numeric: tabular-nums; }
.chart th[scope=row] { font-weight: 400; } .chart td, .chart th { min-width: 0; padding-right: 0.9rem; vertical-align: middle; white-space: nowrap; }
.bar { width: 12rem; height: 1.1rem; display: block; }
.bar .tick { stroke: var(--line); stroke-width: 1; } .bar .zero { stroke: var(--faint); stroke-width: 1.5; }
.bar .range { stroke: var(--link); stroke-width: 3; stroke-linecap: round; opacity: 0.55; } .bar .dot { fill: var(--link); }
.beside { font-size: 0.84rem; } .beside td { min-width: 9rem; max-width: 16rem; } .beside tbody th { position: sticky; left: 0; background: var(--back); font-weight: 600; }
.good { color: var(--good); } .bad { color: var(--bad); } .below { color: var(--odd); }
.exploit { border-bottom: 1px solid var(--line); padding: 0.3rem 0; } .exploit h3 { font-size: 0.95rem; }
.cells > h2 { position: absolute; left: -99rem; }
.cell { display: none; }
.cell:target { display: block; position: fixed; z-index: 9; inset: 0 0 0 auto; width: min(46rem, 100%); overflow: auto; background: var(--panel);
  border-left: 1px solid var(--line); padding: 0.8rem 1.3rem 2rem; box-shadow: 0 0 0 100vmax var(--shade); }
.cell .close { position: sticky; top: -0.8rem; margin: -0.8rem -1.3rem 0.4rem; padding: 0.5rem 1.3rem; background: var(--panel); border-bottom: 1px solid var(--line); }
.cell h3 { display: block; }
kbd { border: 1px solid var(--line); border-radius: 4px; padding: 0 0.3rem; font-size: 0.8rem; color: var(--faint); }
@media (max-width: 34rem) { .board .tally { font-size: 0.8rem; } .board .tally td { font-size: 0.9rem; }
  .heat:not(.upwards) thead th[scope=col] { min-width: 0; vertical-align: bottom; } .heat thead th span { writing-mode: vertical-rl; transform: rotate(180deg); white-space: nowrap; }
  .heat tbody th[scope=row] { white-space: normal; max-width: 8.5rem; min-width: 8.5rem; line-height: 1.2; font-size: 0.8rem; }
  .cell:target { padding: 0.8rem 0.8rem 2rem; } .cell .close { margin: -0.8rem -0.8rem 0.4rem; padding: 0.5rem 0.8rem; } .bar { width: 8rem; }
  .beside td { min-width: 8rem; } .beside tbody th { max-width: 7rem; min-width: 5rem; } }
@media print { :root { --goodback: #fff; --badback: #fff; --oddback: #fff; } nav, .close { display: none; } .cells, .cell:target { display: none !important; }
  .scroll { overflow: visible; } .heat, .chart, .beside { font-size: 7.5pt; } .heat td a { min-width: 1.1rem; min-height: 0; line-height: 1.2; font-size: 8pt; }
  .beside td { min-width: 0; } .bar { width: 7rem; } section { break-inside: auto; } tr { break-inside: avoid; } }
";

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use sha2::Digest as _;

    use super::*;

    #[test]
    fn the_page_allows_its_own_script_and_no_other() {
        let hash = sha2::Sha256::digest(SCRIPT.as_bytes());
        let word = base64::engine::general_purpose::STANDARD.encode(hash);
        assert_eq!(SCRIPT_HASH, format!("sha256-{word}"));
        assert!(!SCRIPT.contains("</"));
    }
}
