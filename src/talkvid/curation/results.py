"""From the journals of a run to the rows of its tables, one source after another."""

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from talkvid.curation.annotations import with_annotations
from talkvid.curation.config import STAGES
from talkvid.curation.decide import Rules, StageResult, decide, scan_scores
from talkvid.curation.manifest import ClipRow, span_columns
from talkvid.curation.profiles import SCAN
from talkvid.curation.records import CODES, FAILED, REJECTED, UNSCORED, Span
from talkvid.curation.run_folder import RunFolder
from talkvid.curation.scoring import known_results
from talkvid.runner.journal import Record, index

SCAN_SCORES = ("duration_s", "has_audio", "speech_s", "speech_ratio")
"""What of the scan's facts is a score whether or not a rule asks for it."""


@dataclass
class Tally:
    """What became of the clips: in = kept + rejected + failed + unscored."""

    by_status: Counter[str] = field(default_factory=Counter)
    by_code: Counter[str] = field(default_factory=Counter)
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Length of the clips by status."""

    def counted(self, rows: Iterable[ClipRow]) -> Iterator[ClipRow]:
        """Yield the rows, counting them."""
        for row in rows:
            self.add(row)
            yield row

    def add(self, row: ClipRow) -> None:
        """Count one row."""
        self.by_status[row.status] += 1
        self.seconds[row.status] += row.duration_s
        if row.code:
            self.by_code[row.code] += 1


class Results:
    """What the journals of a run say of its sources under given rules and signatures.

    `signatures` are those of the scorers in force, stage -> hash; scores under others do not count.
    """

    def __init__(self, folder: RunFolder, rules: Rules, signatures: Mapping[str, str]) -> None:
        self._folder = folder.path
        self._rules = rules
        self._signatures = signatures
        self._shown = sorted({*SCAN_SCORES, *(rule.score for rule in rules.get(SCAN, ()))})
        self.sources = folder.read_sources()
        self._scans = _latest(folder.scan_journal)
        self._scores = _latest(folder.score_journal)

    def scan_of(self, video_id: str) -> Record | None:
        """Return the last record of a file's scan."""
        return self._scans.get(video_id)

    def num_expected(self) -> int:
        """Return how many rows there must be: one per clip, and one per file without clips."""
        scans = (self.scan_of(video_id) for video_id, _ in self.sources)
        found = (scan.result if scan is not None and scan.result is not None else {} for scan in scans)
        return sum(len(result.get("spans") or ()) or 1 for result in found)

    def spans(self) -> Iterator[tuple[Span, str]]:
        """Yield the clips of all files in their order, and what each file's scores must be recorded for."""
        for video_id, _ in self.sources:
            scan = self.scan_of(video_id)
            if scan is not None and scan.result is not None:
                for values in scan.result.get("spans", ()):
                    yield Span.from_json(values), scan.signature

    def stored(self, span: Span, signature: str) -> dict[str, Any]:
        """Return all stage results that are stored of a clip of this source file."""
        return _stages(self._scores.get(span.clip_id), signature)

    def known(self, stored: Mapping[str, Any]) -> dict[str, StageResult]:
        """Return stage -> result under the signatures in force."""
        return known_results(stored, self._signatures)

    def rows(self) -> Iterator[ClipRow]:
        """Yield the rows of all clips, and of the files that failed whole, by (video_id, number).

        What annotation has found out of them is laid over them.
        """
        return with_annotations(self._judged(), self._folder)

    def _judged(self) -> Iterator[ClipRow]:
        for video_id, path in self.sources:
            scan = self.scan_of(video_id)
            if scan is None:
                yield _whole_file(video_id, path, UNSCORED, SCAN, "the file has not been scanned")
            elif scan.result is None:
                reason = scan.reason if scan.fault == "ERROR" else CODES[scan.fault]
                yield _whole_file(video_id, path, FAILED, scan.fault, reason)
            elif "code" in scan.result:
                yield _whole_file(video_id, path, FAILED, scan.result["code"], scan.result["reason"])
            elif not scan.result["spans"]:
                yield _whole_file(video_id, path, REJECTED, "DUR_SHORT", "no clip is long enough")
            else:
                for values in scan.result["spans"]:
                    yield self._row(Span.from_json(values), scan.signature)

    def _row(self, span: Span, signature: str) -> ClipRow:
        record = self._scores.get(span.clip_id)
        results = self.known(_stages(record, signature))
        verdict, stage = decide(span, results, self._rules)
        code, reason, status = verdict.code, verdict.reason, verdict.status
        if status == UNSCORED and record is not None and record.fault and record.signature == signature:
            status, code = FAILED, record.fault
            reason = record.reason if record.fault == "ERROR" else CODES[code]
        measured = scan_scores(span)
        scores: dict[str, Mapping[str, float]] = {
            SCAN: {name: measured[name] for name in self._shown if name in measured}
        }
        scores.update({name: results[name].scores for name in STAGES if name in results})
        return ClipRow(
            **span_columns(span),
            status=status,
            code=code,
            reason=reason,
            failed_stage=stage,
            scores=scores,
            backends={name: result.backend for name, result in results.items()},
            signatures={name: result.signature for name, result in results.items()},
            checks=verdict.checks,
        )


def _stages(record: Record | None, signature: str) -> dict[str, Any]:
    """Return the stage results in a record, none where it is of another source file."""
    if record is None or record.signature != signature or record.result is None:
        return {}
    stages: dict[str, Any] = record.result.get("stages", {})
    return stages


def _latest(journal: Path) -> Mapping[str, Record]:
    return index(journal)[0] if journal.is_file() else {}


def _whole_file(video_id: str, path: str, status: str, code: str, reason: str) -> ClipRow:
    """Return the row of a file that gave no clips; number 0, no pictures."""
    nowhere = Span(video_id, path, 0, 0, 0, (1, 1), 0, 0, 0, 0, 0.0)
    columns = {**span_columns(nowhere), "name": video_id, "clip_id": _file_id(video_id)}
    return ClipRow(**columns, status=status, code=code, reason=reason, failed_stage=SCAN)


def _file_id(video_id: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"talkvid:{video_id}"))
