"""The verbs of `talkvid curate` that find clips, score them and decide."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from talkvid.cli.curate_request import Request
from talkvid.curation import curate
from talkvid.curation.config import STAGES
from talkvid.curation.manifest import iterate_clips
from talkvid.curation.records import UNSCORED
from talkvid.curation.run_folder import is_run_folder
from talkvid.curation.sources import VideoSource, read_sources

logger = logging.getLogger(__name__)

MOST_LISTED = 20
STANDS_IN = {
    "quality": "a classical no-reference measure, not DOVER; "
    "quality.backend=dover quality.model_path=FILE switches",
    "motion": "OpenCV point tracks, not CoTracker; motion.backend=cotracker switches",
    "head": "the embedded face detector and landmarks; head.backend=insightface or mediapipe switches",
}
"""Stage -> what its embedded backend is, said before anything else."""


def run_all(request: Request) -> int:
    """Scan, score with all stages in one decode, decide, export and report; print the report's path."""
    plan = curate.make_plan(request.settings())
    if not _work(plan, request):
        return 0
    from talkvid.cli.curate_more import finish

    print(finish(plan.folder, plan.config))
    return 0


def segment(request: Request) -> int:
    """Cut the videos into clips by scan alone; print the run folder."""
    return _stage(request, ())


def quality(request: Request) -> int:
    """Score the picture quality of the clips of an earlier stage; print the run folder."""
    return _stage(request, ("quality",))


def motion(request: Request) -> int:
    """Score the motion in the clips of an earlier stage; print the run folder."""
    return _stage(request, ("motion",))


def head(request: Request) -> int:
    """Score the heads in the clips of an earlier stage; print the run folder."""
    return _stage(request, ("head",))


def decide(request: Request) -> int:
    """Judge a run anew with other rules, scoring nothing; list the clips that now want a score."""
    folder = request.run_folder()
    config = request.judged_anew(folder)
    tally = curate.write_tables(curate.Plan(config, folder))
    curate.write_settings(folder, config)
    if tally.by_status[UNSCORED]:
        waiting = (row for row in iterate_clips(folder.clips) if row.status == UNSCORED)
        for row in islice(waiting, MOST_LISTED):
            logger.info("%s wants a score of stage %s", row.name, row.code)
        more = tally.by_status[UNSCORED] - MOST_LISTED
        logger.info(
            "%sscore them: talkvid curate run -o %s", f"and {more} more; " if more > 0 else "", folder.path
        )
    print(folder.clips)
    return 0


def _stage(request: Request, scores: Sequence[str]) -> int:
    config = replace(request.settings(), stages=list(scores))
    if scores and not is_run_folder(config.input):
        raise ValueError(
            f"input is {config.input or 'not set'}: stage {scores[0]} wants the run folder of an earlier "
            "stage; make one: talkvid curate segment DIR -o OUT"
        )
    plan = curate.make_plan(config, scores=scores)
    if _work(plan, request):
        print(plan.folder.path)
    return 0


def _work(plan: curate.Plan, request: Request) -> bool:
    """Do scan, scores and decision; with --dry_run only say what they would be, and return False."""
    for stage in plan.scores:
        settings = getattr(plan.config, stage)
        backend = settings.get("backend") or ", ".join(settings["filters"])
        print(f"{stage}: backend {backend}" + (f" ({STANDS_IN[stage]})" if backend == "embedded" else ""))
    sources = _sources(plan)
    if request.dry_run:
        for line in curate.outlook(plan, sources):
            print(line)
        return False
    curate.prepare(plan, sources)
    if sources:
        curate.scan(plan, sources)
    curate.score(plan)
    curate.write_tables(plan)
    return True


def _sources(plan: curate.Plan) -> list[VideoSource]:
    """Return the source files, none where the clips come from an earlier run folder."""
    if is_run_folder(plan.config.input):
        return []
    if not plan.config.input:
        raise ValueError(f"there is no input: give a folder of videos or a list ({', '.join(STAGES)} follow)")
    found = read_sources(Path(plan.config.input))
    return found[: plan.config.run.limit] if plan.config.run.limit else found
