"""What the evaluation's page adds to the look of every page."""

from talkvid.page.style import BASE

STYLE = (
    f"{BASE}\n"
    + (
        """
:root{--dot:#1c5fb8;--quiet:#7a8590;--control:#eceef1;--mark:#12704f}
@media (prefers-color-scheme:dark){:root{--dot:#7db4ff;--quiet:#98a3ae;--control:#232930;--mark:#4cc79a}}
.warn{margin:.6em 0}.warn ul{margin:.2em 0;padding-left:1.3em}
.card.failed{border-color:var(--alarm)}
.leftout{margin:.3em 0 1em;padding-left:1.3em}
.arrow{color:var(--soft);font-weight:400;white-space:nowrap}
.results table{width:auto;min-width:60%}
.results th{white-space:normal;min-width:5.5em}
.results th:first-child,.results td:first-child{text-align:left}
.results tbody th,.results thead tr:last-child th:first-child{position:sticky;left:0;background:var(--ground);
z-index:1}
.results tbody th{color:var(--ink);font-size:1em;vertical-align:top;width:13em;min-width:8.5em;max-width:15em;
text-align:left;font-weight:600}
.results tbody th small{font-weight:400}
.glance td.truth{background:var(--control)}.glance tbody th{font-weight:400}.glance thead th{color:var(--ink)}
.results .family th{border-bottom:0;color:var(--ink);text-align:center;padding-bottom:0}
.results .family th:first-child{border:0}
.results .edge{border-left:1px solid var(--line)}
.results td small{display:block;color:var(--soft);white-space:nowrap}
.results .band th{background:var(--control);color:var(--soft);font-size:.84em;font-weight:600;padding-top:9px;
position:static}
.results .control td,.results .control th,.results .truth td,.results .truth th{background:var(--control)}
.results .control th{font-weight:400}.results .band th{font-weight:600}
.results .best>.figure{font-weight:700;color:var(--mark)}
.results .best>.figure::before{content:"\\2605\\a0";font-size:.8em}
.results .counts th{border-top:0;font-weight:400;font-size:.8em}
.meanings{display:grid;grid-template-columns:repeat(auto-fill,minmax(300px,1fr));gap:2px 24px;
margin:.2em 0 2em;font-size:.9em}
.meanings div{break-inside:avoid}.meanings dt{display:inline;font-weight:600}
.meanings dd{display:inline;margin:0;color:var(--soft)}
.plots.wide{grid-template-columns:repeat(auto-fill,minmax(460px,1fr))}
.strips{display:grid;grid-template-columns:fit-content(10em) minmax(60px,1fr) max-content;gap:0 10px;
grid-auto-flow:dense;font-size:.86em;line-height:1.2}
.strip{display:contents}.strip>*{align-self:center}
.strip .name{grid-column:1}.strip .amount{grid-column:3;font-variant-numeric:tabular-nums;white-space:nowrap}
.strips>small{grid-column:1/-1}
.strips .axis{grid-column:2}
.strip .dots{grid-column:2;position:relative;align-self:stretch;min-height:30px}
.dots svg{position:absolute;inset:0;width:100%;height:100%;overflow:visible}
.dots path{fill:none;vector-effect:non-scaling-stroke}
.dots .grid{stroke:var(--line);stroke-width:1px}
.dots .dot{stroke:var(--dot);stroke-width:5px;stroke-linecap:round;stroke-opacity:.5}
.dots .many{stroke-width:3px}
.control .dots .dot,.truth .dots .dot{stroke:var(--quiet)}
.dots .mean{stroke:var(--ink);stroke-width:1.5px}
.strip.control>*,.strip.truth>*{color:var(--soft)}
.extremes{display:grid;grid-template-columns:repeat(auto-fill,minmax(420px,1fr));gap:14px;margin:.4em 0 1.2em}
.extreme{background:var(--card);border-radius:8px;padding:10px 12px;min-width:0}
.extreme .rank{margin:0 0 .4em}.extreme p{margin:.3em 0;font-size:.9em}
.extreme audio{height:2em;max-width:100%;vertical-align:middle}
.systemname{margin:.6em 0 .2em}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:10px}
figure{margin:0;min-width:0}figcaption{font-size:.84em;color:var(--soft);overflow-wrap:anywhere}
.player{display:block;width:100%;aspect-ratio:1;border-radius:5px;background:var(--track);object-fit:contain}
.player.absent{display:flex;flex-direction:column;align-items:center;justify-content:center;padding:10px;
text-align:center;color:var(--soft);font-size:.84em;aspect-ratio:auto;min-height:6em}
.protocol table{min-width:62em}.protocol td:nth-child(1){min-width:11em}.protocol td:last-child{
min-width:17em;font-size:.9em}
.gaps .name,.protocol .name{overflow-wrap:break-word}
.gaps table{min-width:44em}.settings td:first-child{width:12em}
.auc td:first-child{white-space:nowrap}.auc th{white-space:normal;min-width:5.5em}
.auc th .name{overflow-wrap:normal}
.auc small{display:block;color:var(--soft)}
.auc .weak{font-weight:700;color:var(--alarm)}.auc .weak::before{content:"! "}
@media (max-width:640px){
.plots.wide{grid-template-columns:1fr}
.strips{grid-template-columns:1fr auto}.strip .amount{grid-column:2}
.strip .dots{grid-column:1/-1;margin-bottom:5px}.strips .axis{grid-column:1/-1}
.extremes{grid-template-columns:1fr}
.results tbody th{width:auto;max-width:8.5em;min-width:6.5em}
.gaps table,.protocol table{min-width:0}.gaps thead,.protocol thead{display:none}
.gaps tr,.protocol tr{display:block;padding:8px 0;border-bottom:1px solid var(--line)}
.gaps td,.protocol td{display:block;border:0;padding:1px 0;text-align:left;white-space:normal}
.gaps .name,.protocol .name{overflow-wrap:anywhere}.gaps td.n,.protocol td.n{text-align:left}
.gaps td:empty,.protocol td:empty{display:none}
.gaps td[data-head]::before,.protocol td[data-head]::before{content:attr(data-head) ": ";color:var(--soft)}
}
@media print{.extreme,.strip{break-inside:avoid}}
"""
    ).strip()
)
