"""The steps of curation in one run folder: sources, scan, score, decide; each goes on where it was."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from talkvid import runner
from talkvid.config import to_yaml
from talkvid.curation.balance import balanced_rows
from talkvid.curation.config import STAGES, CurateConfig, check_commercial, section
from talkvid.curation.decide import missing_stages
from talkvid.curation.manifest import write_clips
from talkvid.curation.profiles import rules_of
from talkvid.curation.progress import Progress, write_status
from talkvid.curation.records import FAILED, KEPT, REJECTED, UNSCORED
from talkvid.curation.results import Results, Tally
from talkvid.curation.run_folder import RunFolder, inherit, is_run_folder, write_text
from talkvid.curation.scanning import scan_settings, scan_setup, scan_source, source_item
from talkvid.curation.scoring import (
    ClipItem,
    ScorerBuilder,
    build_bench,
    build_scorers,
    score_clip,
    signatures_of,
)
from talkvid.curation.sources import VideoSource
from talkvid.curation.videos import Videos
from talkvid.runner.journal import index

logger = logging.getLogger(__name__)

RETRIED = "ERROR"
"""Code of stage results that the next run tries again; the others would come out the same."""


@dataclass(frozen=True)
class Plan:
    """What one command does in one run folder."""

    config: CurateConfig
    """As resolved; with the sections and rules of the earlier stages where the input is their run folder."""
    folder: RunFolder
    scores: tuple[str, ...] = STAGES
    """The stages that this command scores; active ones besides were scored by an earlier command."""


def make_plan(config: CurateConfig, *, scores: Sequence[str] = STAGES) -> Plan:
    """Return the plan of a command; `scores` are the stages it may score.

    Where the input is the run folder of earlier stages, their settings and rules are taken from there.
    Raises ValueError or FileNotFoundError for what the settings lack.
    """
    if not config.output:
        raise ValueError("there is no output folder: give -o OUT or set output=…")
    if config.input and is_run_folder(config.input):
        config = _with_earlier(config, RunFolder(Path(config.input)).settings(), own=scores)
        check_commercial(config)  # scores of the earlier run count too
    rules_of(config)
    return Plan(
        config, RunFolder(Path(config.output)), tuple(stage for stage in config.active if stage in scores)
    )


def _with_earlier(config: CurateConfig, earlier: CurateConfig, *, own: Sequence[str]) -> CurateConfig:
    """Return the settings with those of stages that are not this command's own from the earlier run."""
    theirs = [stage for stage in earlier.active if stage not in own]
    names = ["scan", *theirs]
    rules = {**config.rules, **{name: earlier.rules.get(name, {}) for name in names}}
    active = [stage for stage in STAGES if stage in theirs or stage in config.active]
    sections: dict[str, Any] = {name: getattr(earlier, name) for name in names}
    return replace(config, stages=active, rules=rules, **sections)


def prepare(plan: Plan, sources: Sequence[VideoSource]) -> None:
    """Write the settings and the list of sources, or take over what an earlier run folder has."""
    write_settings(plan.folder, plan.config)
    if is_run_folder(plan.config.input):
        if Path(plan.config.input).resolve() != plan.folder.path.resolve():
            inherit(RunFolder(Path(plan.config.input)), plan.folder)
        return
    plan.folder.write_sources(sources)


def write_settings(folder: RunFolder, config: CurateConfig) -> None:
    """Write the settings as resolved."""
    write_text(folder.config, to_yaml(config))


def scan(plan: Plan, sources: Sequence[VideoSource]) -> None:
    """Scan every source file that has not been scanned with these settings."""
    settings = scan_settings(plan.config)
    lengths = {source.id: (source.id, 0.0) for source in sources}
    with Progress(plan.folder, "scan", word="files", lengths=lengths) as progress:
        runner.run(
            (source_item(source, settings) for source in sources),
            scan_source,
            journal=plan.folder.scan_journal,
            setup=partial(scan_setup, plan.config),
            description="scan",
            watch=progress,
            keep_results=False,
            **_how(plan.config, plan.config.run.scan_deadline_s),
        )


def score(plan: Plan, *, build: ScorerBuilder = build_scorers) -> None:
    """Score every clip with the stages that its verdict still waits for.

    `build(config, stages)` makes the scorers here, to learn what their scores depend on, and in each worker.
    """
    if not plan.scores:
        return
    scorers = build(plan.config, plan.scores)
    noted = plan.folder.read_signatures()
    found = {stage: {**scorer.signature(), "backend": scorer.backend} for stage, scorer in scorers.items()}
    digests = signatures_of(scorers)
    del scorers
    plan.folder.write_signatures(
        {**noted, **{stage: {**values, "digest": digests[stage]} for stage, values in found.items()}}
    )
    items = list(waiting_clips(plan))
    lengths = {item.id: (item.span.video_id, float(item.span.duration_s)) for item in items}
    with Progress(plan.folder, "score", word="clips", lengths=lengths) as progress:
        runner.run(
            items,
            score_clip,
            journal=plan.folder.score_journal,
            setup=partial(build_bench, plan.config, plan.scores, signatures_in_force(plan), build),
            description="score",
            watch=progress,
            is_intact=_never,
            keep_results=False,
            **_how(plan.config, plan.config.run.deadline_s),
        )


def waiting_clips(plan: Plan) -> list[ClipItem]:
    """Return the clips whose verdict waits for stages of this plan."""
    rules = rules_of(plan.config)
    results = Results(plan.folder, rules, signatures_in_force(plan))
    waiting = []
    for span, signature in results.spans():
        stored = results.stored(span, signature)
        known = {stage: result for stage, result in results.known(stored).items() if result.code != RETRIED}
        missing = missing_stages(span, known, rules, score_all=plan.config.score_all)
        needed = tuple(stage for stage in missing if stage in plan.scores)
        if needed:
            waiting.append(ClipItem(span.clip_id, signature, span, needed, stored))
    return waiting


def outlook(plan: Plan, sources: Sequence[VideoSource]) -> Iterator[str]:
    """Yield what a run would do, one line per source file and one per stage, touching nothing."""
    settings = scan_settings(plan.config)
    scans = index(plan.folder.scan_journal)[0] if plan.folder.scan_journal.is_file() else {}
    for source in sources:
        before = scans.get(source.id)
        is_done = before is not None and before.signature == source_item(source, settings).signature
        yield f"{'done before' if is_done else 'scan'}  {source.id}  {source.path}"
    waiting = waiting_clips(plan) if plan.scores and plan.folder.sources.is_file() else []
    for stage in plan.scores:
        count = sum(stage in item.needed for item in waiting)
        yield f"{stage}: {count} of the clips known so far want a score"
    yield f"{len(sources)} source files; nothing was done (--dry_run)"


def signatures_in_force(plan: Plan) -> dict[str, str]:
    """Return stage -> hash of the scorer whose scores count, as noted when the stage was scored last."""
    noted = plan.folder.read_signatures()
    return {stage: noted[stage]["digest"] for stage in plan.config.active if stage in noted}


def write_tables(plan: Plan) -> Tally:
    """Decide on every clip, write `clips.parquet` and `videos.parquet`, and return what became of them.

    Raises RuntimeError when rows are lost or doubled: in = kept + rejected + failed + unscored.
    """
    results = Results(plan.folder, rules_of(plan.config), signatures_in_force(plan))
    tally = Tally()
    videos = Videos(results)
    rows = balanced_rows(results.rows, section(plan.config, "balance"))
    count = write_clips(
        plan.folder.clips, videos.counted(tally.counted(rows)), expected=results.num_expected()
    )
    videos.write(plan.folder.videos)
    told = {name: tally.by_status[name] for name in (KEPT, REJECTED, FAILED, UNSCORED)}
    write_status(plan.folder.status, {"state": "done", "step": "decide", "in": count, **told})
    logger.info("%s", counts_line(tally))
    return tally


def counts_line(tally: Tally) -> str:
    """Return in = kept + rejected + failed (+ unscored) in words, with hours and the most frequent codes."""
    counts = tally.by_status
    parts = [f"{counts[name]} {name}" for name in (KEPT, REJECTED, FAILED)]
    parts += [f"{counts[UNSCORED]} {UNSCORED}"] if counts[UNSCORED] else []
    hours = tally.seconds[KEPT] / 3600, sum(tally.seconds.values()) / 3600
    codes = ", ".join(f"{code} {count}" for code, count in tally.by_code.most_common(8))
    told = f"; {codes}" if codes else ""
    return f"{sum(counts.values())} in = {' + '.join(parts)}; {hours[0]:.3f} of {hours[1]:.3f} h kept{told}"


def _how(config: CurateConfig, deadline_s: float) -> dict[str, Any]:
    run = config.run
    return {
        "executor": run.executor,
        "workers": 1 if run.executor == "inline" else run.workers,
        "deadline_s": None if run.executor == "inline" else deadline_s,
        "attempts": run.attempts,
        "gpus_per_worker": run.gpus_per_worker,
    }


def _never(_item: ClipItem, _result: Any) -> bool:
    """What waits for a score is not done, whatever was found out before."""
    return False
