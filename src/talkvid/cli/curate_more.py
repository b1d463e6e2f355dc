"""The verbs of `talkvid curate` around a run: lists, files, report, annotation, download, settings."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from talkvid.cli.curate_request import Request
from talkvid.curation.config import CurateConfig, load_curate_config, section
from talkvid.curation.run_folder import RunFolder

logger = logging.getLogger(__name__)


def finish(folder: RunFolder, config: CurateConfig) -> Path:
    """Do what the settings want behind the decision; return the last thing written."""
    last = folder.clips
    for step in FINISHING:
        if step in config.finish:
            last = FINISHING[step](folder, config)
    return last


def download(request: Request) -> int:
    """Fetch the videos of a list; print the list that the next stage takes; 1 when some are missing."""
    from talkvid.curation.download_run import download as fetch
    from talkvid.curation.download_run import plan_lines, report_lines

    config = request.settings()
    if not config.input or not config.output:
        raise ValueError("what is to be fetched, and where to? talkvid curate download LIST -o FOLDER")
    settings, cutting = section(config, "download"), section(config, "materialise")
    limit = config.run.limit or None
    if request.dry_run:
        print(*plan_lines(Path(config.input), settings, limit=limit), sep="\n")
        return 0
    done = fetch(
        Path(config.input), Path(config.output), settings, cutting=cutting, limit=limit, **_how(config)
    )
    _tell(report_lines(done))
    print(done.sources)
    return 1 if done.num_failed or done.clips.failed else 0


def annotate(request: Request) -> int:
    """Write language, caption, duplicates and what else is asked for into a run; print its table."""
    print(_annotate(*_run_and_settings(request)))
    return 0


def export(request: Request) -> int:
    """Write the lists of kept, rejected and failed clips and both TalkVid forms; print their folder."""
    print(_export(*_run_and_settings(request)))
    return 0


def report(request: Request) -> int:
    """Write the report and the statistics of a run; print the report's path."""
    print(_report(*_run_and_settings(request)))
    return 0


def materialise(request: Request) -> int:
    """Cut the kept clips of a run into files; print their folder."""
    print(_materialise(*_run_and_settings(request)))
    return 0


def import_config(request: Request) -> int:
    """Write our settings from a YAML file of the original code; print their path."""
    from talkvid.curation.import_config import import_settings

    if not request.input:
        raise ValueError("which file? talkvid curate import-config FILE -o config.yaml")
    target = Path(request.output or "config.yaml")
    notes = import_settings(Path(request.input), target)
    logger.info("%d settings have no place here; they are named at the top of %s", len(notes), target)
    print(target)
    return 0


def _run_and_settings(request: Request) -> tuple[RunFolder, CurateConfig]:
    """Return a finished run and its settings with those of the command, whose limit alone counts."""
    folder = request.run_folder()
    overrides = ["run.limit=0", *request.overrides]
    return folder, load_curate_config(folder.config, *request.yaml_paths, overrides=overrides)


def _annotate(folder: RunFolder, config: CurateConfig) -> Path:
    from talkvid.curation.annotate import annotate as write_fields
    from talkvid.curation.annotate import report_lines

    limit = config.run.limit or None
    _tell(report_lines(write_fields(folder.path, section(config, "annotate"), limit=limit, **_how(config))))
    return folder.clips


def _materialise(folder: RunFolder, config: CurateConfig) -> Path:
    from talkvid.curation.materialise import materialise as cut_clips
    from talkvid.curation.materialise import summary_lines

    limit = config.run.limit or None
    summary, exported = cut_clips(folder.path, section(config, "materialise"), limit=limit, **_how(config))
    _tell(summary_lines(summary, exported))
    return folder.path / "clips"


def _export(folder: RunFolder, _config: CurateConfig) -> Path:
    from talkvid.curation.export import export as write_lists

    return write_lists(folder.path).folder


def _report(folder: RunFolder, config: CurateConfig) -> Path:
    from talkvid.curation.report import build_report
    from talkvid.curation.statistics import write_statistics

    settings = section(config, "report")
    write_statistics(folder.path, config=settings)
    return build_report(folder.path, config=settings)


FINISHING = {"materialise": _materialise, "annotate": _annotate, "export": _export, "report": _report}
"""What can follow the decision, in this order."""


def _how(config: CurateConfig) -> dict[str, Any]:
    run = config.run
    inline = run.executor == "inline"
    return {
        "workers": 1 if inline else run.workers,
        "executor": run.executor,
        "deadline_s": None if inline else run.deadline_s,
    }


def _tell(lines: Iterable[str]) -> None:
    for line in lines:
        logger.info("%s", line)
