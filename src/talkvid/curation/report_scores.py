"""The sections of a report about scores and how they were judged: histograms, rules, backends, licences."""

from collections.abc import Mapping, Sequence

import numpy as np

from talkvid.curation.licences import backend
from talkvid.curation.profiles import Rule
from talkvid.curation.records import CODES
from talkvid.curation.report_marks import axis, histogram, histogram_plot, readable, value
from talkvid.curation.report_numbers import RuleCount
from talkvid.curation.report_table import RunTable, holds, rule_text
from talkvid.page.marks import Html, count, join, plural, table, tag
from talkvid.records import Array

ALLOWED = {True: "commercial use allowed", False: "not for commercial use", None: "commercial use: not known"}
NOTHING = "No stage has scored a clip."
FEW_SIGNATURES = 1


def score_cards(table_: RunTable) -> Html:
    """Return a histogram for every score a rule judges, with its thresholds; the other scores folded up."""
    judged: list[Html] = []
    others: list[Html] = []
    for (stage, score), values in all_scores(table_).items():
        rules = [rule for rule in table_.rules if (rule.stage, rule.score) == (stage, score)]
        card = _card(table_, f"{stage}.{score}", values, rules)
        if card is not None:
            (judged if rules else others).append(card)
    parts = [tag("div", *judged, class_="plots")] if judged else [tag("p", "No score was judged.")]
    if others:
        told = f"{plural(len(others), 'score')} that no rule judges"
        parts.append(tag("details", tag("summary", told), tag("div", *others, class_="plots")))
    return join(parts)


def all_scores(table_: RunTable) -> dict[tuple[str, str], Array]:
    """Return (stage, score) -> values (N,), those that only the checks hold included."""
    found = dict(table_.score_columns)
    checks = table_.checks
    for number, rule in enumerate(table_.rules):
        if (rule.stage, rule.score) not in found:
            values = np.full(len(table_), np.nan)
            mine = checks.rule == number
            values[checks.row[mine]] = checks.value[mine]
            found[rule.stage, rule.score] = values
    place = {(rule.stage, rule.score): number for number, rule in reversed(list(enumerate(table_.rules)))}
    return dict(sorted(found.items(), key=lambda item: place.get(item[0], len(place))))


def _card(table_: RunTable, title: str, values: Array, rules: Sequence[Rule]) -> Html | None:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return None
    good = np.ones(len(finite), bool)
    for rule in rules:
        good &= holds(rule, finite)
    thresholds = sorted({rule.threshold for rule in rules})
    shown = histogram(finite, good, thresholds)
    told = [f"{count(int(good.sum()))} pass, {count(int((~good).sum()))} do not"] if rules else []
    without = int(np.count_nonzero(~table_.whole_file)) - len(finite)
    told += [f"{plural(without, 'clip')} without this score"] if without > 0 else []
    beyond = shown.below + shown.above
    told += [f"{count(beyond)} beyond the axis, counted at its ends"] if beyond else []
    told.append(f"median {value(float(np.median(finite)))}")
    told.append(f"highest bar {count(int((shown.good + shown.bad).max()))}")
    words = f"{title}: {'; '.join(told)}"
    return tag(
        "div",
        tag("h3", title),
        tag("div", *(_limit(rule, shown.place(rule.threshold)) for rule in rules), class_="limits"),
        histogram_plot(shown, thresholds, title=words),
        axis(shown),
        tag("small", "; ".join(told), class_="soft"),
        class_="plotcard",
    )


def _limit(rule: Rule, place: float) -> Html:
    """Return the words over a threshold's line, on the side where there is room."""
    where = (
        f"padding-left:{place:.1f}%;text-align:left"
        if place < 50
        else f"padding-right:{100 - place:.1f}%;text-align:right"
    )
    return tag("span", f"{readable(rule.op)} {rule.threshold:g}", style=where)


def rule_table(table_: RunTable, counts: Sequence[RuleCount]) -> Html:
    """Return the rules in force, and how many clips passed and failed each."""
    rows = []
    for rule, found in zip(table_.rules, counts, strict=True):
        otherwise = tag("small", f" else {rule.code}: {CODES.get(rule.code, '')}", class_="soft")
        rows.append(
            [join([tag("code", rule_text(rule)), otherwise]), count(found.passed), count(found.failed)]
        )
    heads = ["a clip is kept when all of this holds", "pass", "fail"]
    return table(heads, rows, numbers=(1, 2)) if rows else tag("p", "No clip was compared with a rule.")


def backend_table(table_: RunTable, models: Mapping[str, Mapping[str, str]]) -> Html:
    """Return which way each stage was scored, by its right name, with models, licence and signature.

    `models`: stage -> file -> hash, as far as the run has noted them.
    """
    signatures = table_.by_stage("signature")
    rows, mixed = [], []
    for stage, names in table_.by_stage("backend").items():
        for name_, clips in names.items():
            what = backend(stage, name_)
            files = join(
                [
                    tag("div", tag("code", file), " ", tag("code", digest, class_="soft"))
                    for file, digest in models.get(stage, {}).items()
                ]
            )
            rows.append(
                [
                    stage,
                    tag("code", name_),
                    what.title,
                    what.licence,
                    ALLOWED[what.commercial],
                    files,
                    count(clips),
                ]
            )
        if len(signatures.get(stage, {})) > FEW_SIGNATURES:
            told = ", ".join(f"{signature} {count(clips)}" for signature, clips in signatures[stage].items())
            words = f"Stage {stage} holds scores of different settings ({told}); score again to compare them."
            mixed.append(tag("p", words, class_="warn"))
    heads = ["stage", "backend", "what it is", "licence of models", "", "models", "clips"]
    return join(
        [*mixed, tag("div", table(heads, rows, numbers=(6,)), class_="rows") if rows else tag("p", NOTHING)]
    )
