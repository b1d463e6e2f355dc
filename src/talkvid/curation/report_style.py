"""What a curation report adds to the look of every page: colours of the verdicts, bars, histograms, clips."""

from talkvid.page.style import BASE

STYLE = (
    f"{BASE}\n"
    + (
        """
:root{--kept:#1d8a63;--rejected:#c98310;--failed:#c4392d;--unscored:#8590a0;--limit:#1b2026;
--kept-ink:#12704f;--rejected-ink:#8a5600}
@media (prefers-color-scheme:dark){:root{--kept:#3fb68a;--rejected:#e0a33a;--failed:#ee6a5e;
--unscored:#8590a0;--limit:#fff;--kept-ink:#4cc79a;--rejected-ink:#e9b152}}
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
.rejects table{table-layout:fixed;min-width:56em}
.rejects th:nth-child(1){width:124px}.rejects th:nth-child(2){width:30%}
.rejects th:nth-child(n+4){width:6.5em}
.failures table{table-layout:fixed;min-width:44em}.failures th:nth-child(1){width:10em}
.failures th:nth-child(2){width:38%}
.plot{display:block;width:100%;height:110px;border-bottom:1px solid var(--soft)}
.plot .good{fill:var(--kept)}.plot .bad{fill:var(--rejected)}
.plot .limit{stroke:var(--limit);stroke-width:2px;stroke-dasharray:5 3;vector-effect:non-scaling-stroke}
.limits{display:grid;height:auto;font-size:.86em}
.limits span{white-space:nowrap}
.strip{display:grid;grid-template-columns:repeat(auto-fill,minmax(165px,1fr));gap:12px;margin:.3em 0 1em}
.clip{font-size:.86em;line-height:1.35;min-width:0}
.thumb{display:block;width:100%;aspect-ratio:16/10;background:var(--track) center/contain no-repeat;
border-radius:5px;print-color-adjust:exact;-webkit-print-color-adjust:exact}
td .thumb{width:104px}
.nothumb{display:flex;align-items:center;justify-content:center;color:var(--soft);font-size:.8em;text-align:center}
.mark{font-weight:600}.mark.kept{color:var(--kept-ink)}.mark.rejected{color:var(--rejected-ink)}
.mark.failed{color:var(--failed)}
@media (max-width:640px){
.line,.funnel .line,.whole .line,.slow .line,.plotcard .line{grid-template-columns:1fr auto}
.line .track{grid-column:1/-1;grid-row:2}
.strip{grid-template-columns:repeat(2,1fr)}
.rows table{min-width:0;table-layout:auto}.rows thead{display:none}
.rows tr{display:block;padding:8px 0;border-bottom:1px solid var(--line)}
.rows td{display:block;border:0;padding:1px 0;text-align:left;white-space:normal}
.rows td.n{display:inline-block;margin-right:1.2em}.rows td:empty,.rows td.n:empty{display:none}
.rejects tr{display:flow-root}.rejects td:first-child{float:left;margin:4px 10px 4px 0}
.rows td.n::before{content:attr(data-head) " ";color:var(--soft)}
}
@media print{.clip{break-inside:avoid}}
"""
    ).strip()
)
