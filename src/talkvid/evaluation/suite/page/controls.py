"""Can the numbers be believed: how well each tells the truth from its controls, and who beats the truth."""

from talkvid.evaluation.suite.page.figures import heading, interval, told
from talkvid.evaluation.suite.separation import LOWEST_AUC, Separation
from talkvid.evaluation.suite.summary import Summary
from talkvid.page.marks import Html, count, join, name, table, tag

AT_ONCE = 8
"""Lines that are seen without unfolding."""
WORDS = (
    "How often a clip has a better number than its control: 1.00 is always, 0.50 is guessing. Below "
    f"{LOWEST_AUC:g} a number cannot tell the two apart, and is marked; what it says about systems is to be "
    "doubted as well. Empty: the control does not touch what the number looks at, or has no such number."
)


def separation_table(summary: Summary) -> Html:
    """Return the share of clips ranked above each control, one line for each column."""
    if not summary.separations:
        return tag("p", "This run has no controls, so nothing shows whether its numbers can be believed.")
    controls = list(dict.fromkeys(found.control for found in summary.separations))
    known = {(found.control, found.metric, found.key): found for found in summary.separations}
    lines = []
    for column in summary.columns:
        found = [known.get((control, *column.id)) for control in controls]
        if any(found):
            lines.append([heading(column.column), *(_share(one) for one in found)])
    heads = ["", *(join([name(control)]) for control in controls)]
    shown = table(heads, lines, numbers=range(1, len(heads)))
    return join([tag("p", WORDS, class_="soft"), tag("div", shown, class_="auc")])


def _share(found: Separation | None) -> Html:
    if found is None:
        return Html("")
    if found.same:
        return join([tag("span", "same", class_="weak", title="every clip has the same number in both"),
                     tag("small", f"n = {found.num_clips}")])  # fmt: skip
    parts = [tag("span", told(found.auc, 2), class_="weak" if found.told is False else "figure")]
    if found.told is None:
        parts.append(tag("small", f"n = {found.num_clips}, too few to say"))
    return join(parts)


def better_than_truth_table(summary: Summary) -> Html:
    """Return who scores better than the true videos; nothing where no one does."""
    if not summary.better_than_truth:
        return Html("")
    lines = []
    for found in summary.better_than_truth:
        column = summary.column(found.metric, found.key)
        digits = column.column.digits
        gain = interval(found.low, found.high, digits)
        lines.append([name(found.row), heading(column.column), told(found.made, digits),
                      told(found.truth, digits), gain, str(found.num_clips)])  # fmt: skip
    heads = ["row", "column", "made", "truth", "better by, 95 %", "clips"]
    words = (
        "Over the clips that both have. A number in which a made video beats the true one rewards something "
        "else than looking true."
    )
    shown = [table(heads, part, numbers=(2, 3, 4, 5)) for part in (lines[:AT_ONCE], lines[AT_ONCE:]) if part]
    parts = [tag("h3", "Better than the truth"), tag("p", words, class_="soft")]
    parts.append(tag("div", shown[0], class_="gaps"))
    if shown[1:]:
        more = tag("summary", f"{count(len(lines) - AT_ONCE)} more")
        parts.append(tag("details", more, tag("div", shown[1], class_="gaps")))
    return join(parts)
