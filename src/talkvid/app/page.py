"""The page: its tabs, its looks, and nothing that comes from another machine."""

from pathlib import Path
from typing import Any

from talkvid.app.browse_tab import build_browse_tab
from talkvid.app.generate_tab import Service, build_generate_tab
from talkvid.app.report_view import report_view

TITLE = "TalkVid"
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
.scroll td:nth-child(2){overflow-wrap:anywhere}
.scroll td.n,.scroll th.n{text-align:right}
#samples .grid-container,#clips .grid-container{
grid-template-columns:repeat(auto-fill,minmax(120px,1fr))!important;grid-template-rows:none!important}
#samples .grid-container{grid-template-columns:repeat(auto-fill,minmax(90px,120px))!important}
.name{overflow-wrap:anywhere}
iframe.report{width:100%;height:80vh;border:1px solid var(--border-color-primary);background:#fff}
@media (max-width:640px){.gradio-container{padding:8px!important}}
"""


def build_page(
    gr: Any,
    service: Service,
    *,
    samples: list[list[str]],
    scratch: Path,
    curated: Path | None = None,
    report: Path | None = None,
) -> Any:
    """Return the page, its tabs as the folders given allow."""
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=False) as page:
        gr.HTML(
            f"<h1>{TITLE}</h1><p>One portrait and one speech become a talking-head video.</p>", padding=False
        )
        with gr.Tabs():
            with gr.Tab("Generate", id="generate"):
                build_generate_tab(gr, service, samples)
            if curated is not None:
                with gr.Tab("Data set", id="curated"):
                    build_browse_tab(gr, curated, scratch)
            if report is not None:
                with gr.Tab("Report", id="report"):
                    gr.HTML(report_view(report), elem_id="report")
    return page


def theme(gr: Any) -> Any:
    """Return the looks: fonts of the visitor's own machine."""
    base = gr.themes.Base(font=list(FONTS), font_mono=list(MONO_FONTS), primary_hue="blue")
    # Gradio's own greys are too pale to be read.
    readable = {"body_text_color_subdued": "*neutral_600", "block_info_text_color": "*neutral_600"}
    dark = {f"{name}_dark": "*neutral_300" for name in readable}
    return base.set(**readable, **dark)
