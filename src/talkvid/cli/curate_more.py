"""The verbs of `talkvid curate` around a run: lists, files, report, annotation, download, settings."""

import logging
from pathlib import Path

from talkvid.cli.curate_request import Request
from talkvid.curation.config import CurateConfig, load_curate_config, section
from talkvid.curation.run_folder import RunFolder

logger = logging.getLogger(__name__)


def finish(folder: RunFolder, config: CurateConfig) -> Path:
    """Write the lists and the report of a finished run and return the report's path."""
    from talkvid.curation.export import export as write_lists
    from talkvid.curation.report import build_report

    write_lists(folder.path)
    return build_report(folder.path, config=section(config, "report"))


def export(request: Request) -> int:
    """Write the lists of kept, rejected and failed clips and both TalkVid forms; print their folder."""
    from talkvid.curation.export import export as write_lists

    print(write_lists(request.run_folder().path).folder)
    return 0


def report(request: Request) -> int:
    """Write the report of a run, and figures, numbers and data-set card beside it; print the report's path."""
    from talkvid.curation.report import build_report
    from talkvid.curation.statistics import write_statistics

    folder = request.run_folder()
    config = load_curate_config(folder.config, *request.yaml_paths, overrides=request.overrides)
    shown = section(config, "report")
    logger.info("%s", write_statistics(folder.path, config=shown))
    print(build_report(folder.path, config=shown))
    return 0


def materialise(request: Request) -> int:
    """Cut the kept clips of a run into files; print their folder."""
    from talkvid.curation.materialise import materialise as cut_clips
    from talkvid.curation.materialise import summary_lines

    folder = request.run_folder()
    config = load_curate_config(folder.config, *request.yaml_paths, overrides=request.overrides)
    summary, exported = cut_clips(
        folder.path,
        section(config, "materialise"),
        workers=config.run.workers,
        executor=config.run.executor,
        deadline_s=None if config.run.executor == "inline" else config.run.deadline_s,
        limit=config.run.limit or None,
    )
    for line in summary_lines(summary, exported):
        logger.info("%s", line)
    print(folder.path / "clips")
    return 1 if summary.failed else 0
