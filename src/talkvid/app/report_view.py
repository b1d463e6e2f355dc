"""The report of an evaluation as the page shows it."""

import csv
import itertools
from pathlib import Path

from talkvid.app.guard import REPORT
from talkvid.page.marks import Html, table, tag

PAGE, TABLE = "report.html", "summary.csv"
MOST_ROWS = 2000
NONE_GIVEN = tag(
    "p",
    "No report is shown. Make one with ",
    tag("code", "talkvid evaluate … -o DIR"),
    " and start the page with ",
    tag("code", "talkvid app --report DIR"),
    ".",
)


def report_page(folder: Path) -> Path | None:
    """Return the page of a report, None where there is only its table.

    Raises FileNotFoundError when the folder holds neither.
    """
    if (folder / PAGE).is_file():
        return (folder / PAGE).resolve()
    if (folder / TABLE).is_file():
        return None
    raise FileNotFoundError(
        f"{folder} holds neither {PAGE} nor {TABLE}; make them: talkvid evaluate --generated DIR -o {folder}"
    )


def report_view(folder: Path) -> Html:
    """Return the report in a frame that runs no script, or its table."""
    if report_page(folder) is not None:
        note = f"Videos play when {PAGE} is opened from its own folder; here are its figures and tables."
        frame = (
            f'<iframe class="report" src="{REPORT}" sandbox="" loading="lazy" referrerpolicy="no-referrer" '
            'title="Evaluation report"></iframe>'
        )
        return Html(tag("p", note, class_="soft") + frame)
    with (folder / TABLE).open(encoding="utf-8", newline="") as stream:
        rows = list(itertools.islice(csv.reader(stream), MOST_ROWS + 1))
    return table(rows[0], rows[1:]) if rows else tag("p", "Nothing yet.")
