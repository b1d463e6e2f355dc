"""The page: its three tabs."""

from pathlib import Path
from typing import Any

from talkvid.app import browse_tab, report_view
from talkvid.app.generate_tab import Service, build_generate_tab

TITLE = "TalkVid"


def build_page(
    gr: Any,
    service: Service,
    *,
    samples: list[list[str]],
    scratch: Path,
    curated: Path | None = None,
    report: Path | None = None,
) -> Any:
    """Return the page; a tab without its folder says how to give it."""
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=False) as page:
        gr.HTML(
            f"<h1>{TITLE}</h1><p>One portrait and one speech become a talking-head video.</p>", padding=False
        )
        with gr.Tabs():
            with gr.Tab("Generate", id="generate"):
                build_generate_tab(gr, service, samples)
            with gr.Tab("Data set", id="curated"):
                if curated is None:
                    gr.HTML(browse_tab.NONE_GIVEN)
                else:
                    browse_tab.build_browse_tab(gr, curated, scratch)
            with gr.Tab("Report", id="report"):
                gr.HTML(report_view.NONE_GIVEN if report is None else report_view.report_view(report))
    return page
