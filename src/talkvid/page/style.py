"""How every page looks: readable at any width, in light and dark, on paper; each page adds its own rules."""

BASE = """
:root{color-scheme:light dark;--ground:#fff;--card:#f5f6f8;--ink:#1b2026;--soft:#5a646e;--line:#d9dee4;
--track:#e6e9ed;--link:#1c5fb8;--alarm:#c4392d}
@media (prefers-color-scheme:dark){:root{--ground:#14171b;--card:#1d2227;--ink:#e7eaed;--soft:#a3adb8;
--line:#343b43;--track:#2c333a;--link:#7db4ff;--alarm:#ee6a5e}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);
font:15px/1.5 system-ui,"Segoe UI",Roboto,"Noto Sans",sans-serif;overflow-wrap:break-word}
main{max-width:1180px;margin:0 auto;padding:20px 20px 60px}
h1{font-size:1.7rem;line-height:1.25;margin:0 0 .2em}
h2{font-size:1.3rem;margin:2.2em 0 .3em;padding-top:.5em;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:1.4em 0 .3em}
p{margin:.35em 0 .7em}
a{color:var(--link)}
.soft{color:var(--soft)}small{font-size:.86em}
.name{overflow-wrap:anywhere;unicode-bidi:isolate}
code,pre{font:13px/1.5 ui-monospace,"DejaVu Sans Mono",monospace}
pre{background:var(--card);padding:12px;overflow:auto;border-radius:6px;max-height:32em}
nav{display:flex;flex-wrap:wrap;gap:4px 16px;margin:.8em 0 1.2em}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:1em 0}
.card{background:var(--card);border-radius:8px;padding:12px 14px;border-left:4px solid var(--line)}
.card b{display:block;font-size:1.55rem;line-height:1.2}
.scroll{overflow-x:auto;margin:.5em 0 1em}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:5px 10px;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{font-weight:600;color:var(--soft);font-size:.88em;white-space:nowrap;vertical-align:bottom}
td.n,th.n{text-align:right;white-space:nowrap}
.figure{white-space:nowrap}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(290px,1fr));gap:16px;margin:1em 0}
.plotcard{background:var(--card);border-radius:8px;padding:10px 14px 12px;min-width:0}
.plotcard h3{margin:0 0 .2em;overflow-wrap:anywhere}
.axis{position:relative;height:1.5em;font-size:.84em;color:var(--soft);font-variant-numeric:tabular-nums}
.axis span{position:absolute;top:0;white-space:nowrap}
.warn{border-left:4px solid var(--alarm);background:var(--card);padding:8px 12px;border-radius:4px}
details{margin:.5em 0}summary{cursor:pointer;color:var(--link)}
@media (max-width:640px){
main{padding:14px 14px 40px}h1{font-size:1.35rem}h2{font-size:1.15rem}
.cards{grid-template-columns:repeat(2,1fr)}.plots{grid-template-columns:1fr}
th,td{padding:4px 5px}
}
@media print{nav{display:none}details{display:block}h2{break-after:avoid}.plotcard{break-inside:avoid}}
""".strip()
