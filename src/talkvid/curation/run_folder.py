"""The folder of a run: where its files are, which sources it has, and what it takes over from another run."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from talkvid.curation.config import CurateConfig, load_curate_config
from talkvid.curation.manifest import CLIPS
from talkvid.curation.sources import VideoSource
from talkvid.files import atomic_path
from talkvid.runner.journal import DONE, Journal, Record, index

VIDEOS = "videos.parquet"


@dataclass(frozen=True)
class RunFolder:
    """The paths of one run."""

    path: Path

    @property
    def scan_journal(self) -> Path:
        """Return the journal of the scans."""
        return self.path / "journal" / "scan.jsonl"

    @property
    def score_journal(self) -> Path:
        """Return the journal of the scores."""
        return self.path / "journal" / "score.jsonl"

    @property
    def sources(self) -> Path:
        """Return the list of the source files."""
        return self.path / "journal" / "sources.jsonl"

    @property
    def signatures(self) -> Path:
        """Return what the scores of each stage depend on."""
        return self.path / "signatures.json"

    @property
    def clips(self) -> Path:
        """Return the table of the clips."""
        return self.path / CLIPS

    @property
    def videos(self) -> Path:
        """Return the table of the source files."""
        return self.path / VIDEOS

    @property
    def events(self) -> Path:
        """Return the list of what took how long where."""
        return self.path / "events.jsonl"

    @property
    def config(self) -> Path:
        """Return the settings of the last command that worked here."""
        return self.path / "config.yaml"

    @property
    def status(self) -> Path:
        """Return what is going on now."""
        return self.path / "status.json"

    def settings(self) -> CurateConfig:
        """Return the settings of the last command; raise FileNotFoundError for a folder without a run."""
        return load_curate_config(self.config)

    def write_sources(self, sources: Iterable[VideoSource]) -> None:
        """Write the list of the sources in the order of their ids."""
        lines = [json.dumps({"id": source.id, "path": source.path}) for source in sources]
        write_text(self.sources, "".join(f"{line}\n" for line in sorted(lines)))

    def read_sources(self) -> list[tuple[str, str]]:
        """Return (id, path) of every source in the order of the ids."""
        if not self.sources.is_file():
            raise FileNotFoundError(
                f"{self.path} is not the folder of a run; make one: talkvid curate run DIR"
            )
        lines = (json.loads(line) for line in self.sources.read_text(encoding="utf-8").splitlines())
        return sorted((line["id"], line["path"]) for line in lines)

    def write_signatures(self, signatures: Mapping[str, Mapping[str, Any]]) -> None:
        """Write what the scores of each stage depend on: stage -> settings, models, `digest`."""
        write_text(self.signatures, json.dumps(signatures, indent=1, sort_keys=True, default=str) + "\n")

    def read_signatures(self) -> dict[str, dict[str, Any]]:
        """Return what `write_signatures` wrote, {} before any scoring."""
        if not self.signatures.is_file():
            return {}
        noted: dict[str, dict[str, Any]] = json.loads(self.signatures.read_text(encoding="utf-8"))
        return noted


def is_run_folder(path: Path | str) -> bool:
    """Return whether a folder is that of a run that found out which clips there are."""
    return bool(str(path)) and RunFolder(Path(path)).sources.is_file()


def write_text(path: Path, text: str) -> None:
    """Write a small file whole or not at all, and not at all where it already says so."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def inherit(earlier: RunFolder, folder: RunFolder) -> None:
    """Take over the sources, clips and scores of an earlier run; own scores stay."""
    write_text(folder.sources, earlier.sources.read_text(encoding="utf-8"))
    folder.write_signatures({**earlier.read_signatures(), **folder.read_signatures()})
    _merge_journal(earlier.scan_journal, folder.scan_journal, merge=lambda theirs, _: theirs)
    _merge_journal(earlier.score_journal, folder.score_journal, merge=_joined)


def _merge_journal(source: Path, target: Path, *, merge: Any) -> None:
    """Append to a journal what another one knows besides."""
    if not source.is_file():
        return
    theirs, _ = index(source)
    with Journal(target) as own:
        for name in theirs:
            record = theirs[name]
            before = own.latest.get(name)
            joined = record if before is None else merge(record, before)
            if before is None or _content(joined) != _content(before):
                own.append(joined)
    theirs.close()


def _joined(theirs: Record, own: Record) -> Record:
    """Return one record with the stage results of both; those of another source file are dropped."""
    if own.signature != theirs.signature:
        return theirs
    stages = {**(theirs.result or {}).get("stages", {}), **(own.result or {}).get("stages", {})}
    return Record(own.id, DONE, own.signature, {"stages": stages})


def _content(record: Record) -> tuple[Any, ...]:
    result = record.result if isinstance(record.result, dict) else {}
    known = {key: value for key, value in result.items() if key not in ("seconds", "host", "pictures")}
    return record.signature, known
