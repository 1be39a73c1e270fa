"""The look of report.html, on a light page and on a dark one."""

STYLE = """
:root { color-scheme: light dark; --ink: #1b2733; --page: #ffffff; --soft: #5f6f7f; --line: #dbe2e8; --own: #3b82c4; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4eaf0; --page: #14191f; --soft: #94a3b3; --line: #2c3742; --own: #5b9bd8; }
}
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 46rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.6rem 0 .3rem; }
.lead { color: var(--soft); font-size: 1.05rem; margin: .4rem 0 0; }
.note { border-left: 3px solid #e07b39; padding-left: .8rem; }
.small, figcaption { color: var(--soft); font-size: .86rem; }
.numbers { display: flex; flex-wrap: wrap; gap: .6rem 2.2rem; list-style: none; margin: 1.6rem 0 0; padding: 0; }
.numbers li { color: var(--soft); font-size: .86rem; }
.numbers b { display: block; color: var(--ink); font-size: 1.5rem; font-weight: 600; }
table { border-collapse: collapse; width: 100%; font-size: .94rem; }
th, td { text-align: left; padding: .34rem .8rem .34rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 500; }
td { overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.bars th, .facts td:first-child { white-space: nowrap; padding-right: 1.6rem; }
.kinds { font-size: .86rem; }
.kinds td:not(:first-child) { white-space: nowrap; overflow-wrap: normal; }
.kinds td:first-child { min-width: 8.5rem; }
.range { display: block; color: var(--soft); font-size: .92em; }
.bars td:last-child { width: 50%; vertical-align: middle; padding-right: 0; }
.bars div { height: .7rem; border-radius: 2px; background: var(--soft); opacity: .45; }
.bars .own { font-weight: 600; }
.bars .own th { font-weight: 600; }
.bars .own div { background: var(--own); opacity: 1; }
figure { margin: .8rem 0; }
figure svg { display: block; width: 100%; height: auto; }
.scores { font-size: .9rem; }
.scores td { overflow-wrap: normal; }
.scores small { display: block; color: var(--soft); }
dt { font-weight: 600; margin-top: .7rem; }
dd { margin: 0; }
.square { max-width: 26rem; }
details { margin-top: .8rem; }
summary { cursor: pointer; color: var(--soft); }
pre { overflow-x: auto; padding: .8rem; border: 1px solid var(--line); border-radius: 6px; font-size: .82rem; }
code { font-size: .92em; }
a { color: var(--own); }
.tag { border: 1px solid var(--line); border-radius: 9px; padding: 0 .5rem; white-space: nowrap; }
"""
