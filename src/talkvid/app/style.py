"""The looks of the page: one sheet for desk and phone, fonts of the visitor's own machine."""

from typing import Any

FONTS = ("system-ui", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
MONO_FONTS = ("ui-monospace", "DejaVu Sans Mono", "monospace")
STYLE = """
.gradio-container{max-width:1180px!important;width:100%!important;margin:0 auto!important}
.gradio-container main,.gradio-container .tabs{width:100%;min-width:0}
.status{min-height:3.4em;font-size:1.05em}
.status p{margin:.3em 0}
.status .bar{height:10px;border-radius:5px;background:var(--border-color-primary);overflow:hidden}
.status .bar div{height:100%;background:var(--color-accent);transition:width .3s}
.problem{border-left:4px solid #c4392d;padding:2px 12px}
.soft{color:var(--body-text-color-subdued)}
.scroll{overflow-x:auto}
.scroll table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
.scroll td,.scroll th{padding:4px 8px;border-bottom:1px solid var(--border-color-primary);text-align:left}
.scroll td:nth-child(2){overflow-wrap:anywhere;min-width:8em}
.scroll table,.scroll td,.scroll th{border-width:0 0 1px!important;
border-color:var(--border-color-primary)!important}
.scroll td.n,.scroll th.n{text-align:right}
#samples .grid-container,#clips .grid-container{
grid-template-columns:repeat(auto-fill,minmax(135px,1fr))!important;grid-template-rows:none!important}
#samples .grid-container{grid-template-columns:repeat(auto-fill,minmax(90px,120px))!important}
#samples .grid-wrap,#clips .grid-wrap{padding-top:26px}
#clips .thumbnail-item{aspect-ratio:5/6}
#clips .thumbnail-item img{height:calc(100% - 34px)}
#clips .caption-label{left:0;right:0;bottom:0;max-width:none;border-radius:0;padding:2px 6px;font-size:11px;
line-height:1.35;text-align:left;white-space:pre;overflow:hidden;text-overflow:ellipsis}
.sliders{display:grid!important;grid-template-columns:repeat(auto-fill,minmax(230px,1fr))}
.turning{align-items:center}
@media (min-width:769px){#making{position:sticky;top:8px}}
.name{overflow-wrap:anywhere}
iframe.report{width:100%;height:80vh;border:1px solid var(--border-color-primary);background:#fff}
@media (max-width:640px){.gradio-container{padding:8px!important}}
"""
INTO_VIEW = (
    "() => { if (innerWidth < 769) document.querySelector('%s').scrollIntoView"
    "({behavior: 'smooth', block: 'start'}) }"
)
"""On a phone the parts of the page lie below each other: what was just asked for is brought into view."""


def theme(gr: Any) -> Any:
    """Return the looks: fonts of the visitor's own machine."""
    base = gr.themes.Base(font=list(FONTS), font_mono=list(MONO_FONTS), primary_hue="blue")
    # Gradio's own greys are too pale to be read.
    readable = {"body_text_color_subdued": "*neutral_600", "block_info_text_color": "*neutral_600"}
    dark = {f"{name}_dark": "*neutral_300" for name in readable}
    return base.set(**readable, **dark)
