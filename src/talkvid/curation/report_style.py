"""How a report page looks: readable at any width, in light and dark, on paper."""

STYLE = """
:root{color-scheme:light dark;--ground:#fff;--card:#f5f6f8;--ink:#1b2026;--soft:#5a646e;--line:#d9dee4;
--track:#e6e9ed;--link:#1c5fb8;--kept:#1d8a63;--rejected:#c98310;--failed:#c4392d;--unscored:#8590a0;
--limit:#1b2026;--kept-ink:#12704f;--rejected-ink:#8a5600}
@media (prefers-color-scheme:dark){:root{--ground:#14171b;--card:#1d2227;--ink:#e7eaed;--soft:#a3adb8;
--line:#343b43;--track:#2c333a;--link:#7db4ff;--kept:#3fb68a;--rejected:#e0a33a;--failed:#ee6a5e;
--unscored:#8590a0;--limit:#fff;--kept-ink:#4cc79a;--rejected-ink:#e9b152}}
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
.card.kept{border-color:var(--kept)}.card.rejected{border-color:var(--rejected)}
.card.failed{border-color:var(--failed)}.card.unscored{border-color:var(--unscored)}
.track{display:flex;height:14px;background:var(--track);border-radius:4px;overflow:hidden}
.track i{display:block;min-width:1px}
i.kept,i.dot.kept{background:var(--kept)}i.rejected,i.dot.rejected{background:var(--rejected)}
i.failed,i.dot.failed{background:var(--failed)}i.unscored,i.dot.unscored{background:var(--unscored)}
i.all{background:var(--unscored);opacity:.55}
i.dot{display:inline-block;width:.75em;height:.75em;border-radius:2px;margin-right:.4em}
.legend{display:flex;flex-wrap:wrap;gap:2px 18px;margin:.4em 0}
.whole{margin:1em 0 .6em}
.line{display:grid;grid-template-columns:minmax(7em,15em) minmax(80px,1fr) minmax(9em,auto);gap:4px 12px;
align-items:center;margin:3px 0}
.line .amount{font-variant-numeric:tabular-nums;text-align:right;white-space:nowrap}
.slow .line{grid-template-columns:minmax(12em,30em) minmax(80px,1fr) 5em}
.plotcard .line{grid-template-columns:minmax(5em,9em) minmax(60px,1fr) auto}
ol.funnel{list-style:none;margin:0;padding:0}
ol.funnel>li{background:var(--card);border-radius:8px;padding:8px 14px 10px;margin:10px 0}
ol.funnel h3{margin:.1em 0 .3em}
.funnel .line,.whole .line{grid-template-columns:4em minmax(80px,1fr) minmax(11em,auto)}
.scroll{overflow-x:auto;margin:.5em 0 1em}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:5px 10px;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{font-weight:600;color:var(--soft);font-size:.88em;white-space:nowrap;vertical-align:bottom}
td.n,th.n{text-align:right;white-space:nowrap}
.rejects table{table-layout:fixed;min-width:56em}
.rejects th:nth-child(1){width:124px}.rejects th:nth-child(2){width:30%}
.rejects th:nth-child(n+4){width:6.5em}
.failures table{table-layout:fixed;min-width:44em}.failures th:nth-child(1){width:10em}
.failures th:nth-child(2){width:38%}
.figure{white-space:nowrap}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(290px,1fr));gap:16px;margin:1em 0}
.plotcard{background:var(--card);border-radius:8px;padding:10px 14px 12px;min-width:0}
.plotcard h3{margin:0 0 .2em;overflow-wrap:anywhere}
.plot{display:block;width:100%;height:110px;border-bottom:1px solid var(--soft)}
.plot .good{fill:var(--kept)}.plot .bad{fill:var(--rejected)}
.plot .limit{stroke:var(--limit);stroke-width:2px;stroke-dasharray:5 3;vector-effect:non-scaling-stroke}
.limits{display:grid;height:auto;font-size:.86em}
.limits span{white-space:nowrap}
.axis{position:relative;height:1.5em;font-size:.84em;color:var(--soft);font-variant-numeric:tabular-nums}
.axis span{position:absolute;top:0;white-space:nowrap}
.strip{display:grid;grid-template-columns:repeat(auto-fill,minmax(165px,1fr));gap:12px;margin:.3em 0 1em}
.clip{font-size:.86em;line-height:1.35;min-width:0}
.thumb{display:block;width:100%;aspect-ratio:16/10;background:var(--track) center/contain no-repeat;
border-radius:5px;print-color-adjust:exact;-webkit-print-color-adjust:exact}
td .thumb{width:104px}
.nothumb{display:flex;align-items:center;justify-content:center;color:var(--soft);font-size:.8em;text-align:center}
.mark{font-weight:600}.mark.kept{color:var(--kept-ink)}.mark.rejected{color:var(--rejected-ink)}.mark.failed{color:var(--failed)}
.warn{border-left:4px solid var(--failed);background:var(--card);padding:8px 12px;border-radius:4px}
details{margin:.5em 0}summary{cursor:pointer;color:var(--link)}
@media (max-width:640px){
main{padding:14px 14px 40px}h1{font-size:1.35rem}h2{font-size:1.15rem}
.cards{grid-template-columns:repeat(2,1fr)}
.line,.funnel .line,.whole .line,.slow .line,.plotcard .line{grid-template-columns:1fr auto}
.line .track{grid-column:1/-1;grid-row:2}
.strip{grid-template-columns:repeat(2,1fr)}.plots{grid-template-columns:1fr}
.rows table{min-width:0;table-layout:auto}.rows thead{display:none}
.rows tr{display:block;padding:8px 0;border-bottom:1px solid var(--line)}
.rows td{display:block;border:0;padding:1px 0;text-align:left;white-space:normal}
.rows td.n{display:inline-block;margin-right:1.2em}.rows td:empty,.rows td.n:empty{display:none}
.rejects tr{display:flow-root}.rejects td:first-child{float:left;margin:4px 10px 4px 0}
th,td{padding:4px 5px}
.rows td.n::before{content:attr(data-head) " ";color:var(--soft)}
}
@media print{nav{display:none}details{display:block}h2{break-after:avoid}.plotcard,.clip{break-inside:avoid}}
""".strip()
