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
.gradio-container{max-width:1180px!important;margin:0 auto!important}
.status{min-height:4.2em;font-size:1.05em}
.status p{margin:.3em 0}
.status .bar{height:10px;border-radius:5px;background:var(--border-color-primary);overflow:hidden}
.status .bar div{height:100%;background:var(--color-accent);transition:width .3s}
.problem{border-left:4px solid #c4392d;padding:2px 12px}
.soft{color:var(--body-text-color-subdued)}
.scroll{overflow-x:auto}
.scroll table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
.scroll td,.scroll th{padding:4px 8px;border-bottom:1px solid var(--border-color-primary);text-align:left}
.scroll td.n,.scroll th.n{text-align:right}
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
        gr.HTML(f"<h1>{TITLE}</h1><p>One portrait and one speech become a talking-head video.</p>")
        with gr.Tabs():
            with gr.Tab("Generate", id="generate"):
                build_generate_tab(gr, service, samples)
            if curated is not None:
                with gr.Tab("Curated data set", id="curated"):
                    build_browse_tab(gr, curated, scratch)
            if report is not None:
                with gr.Tab("Evaluation report", id="report"):
                    gr.HTML(report_view(report), elem_id="report")
    return page


def theme(gr: Any) -> Any:
    """Return the looks: fonts of the visitor's own machine."""
    return gr.themes.Base(font=list(FONTS), font_mono=list(MONO_FONTS), primary_hue="blue")
