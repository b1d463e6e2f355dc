"""From scores to a verdict: arithmetic alone, so that another threshold costs seconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from talkvid.curation.config import STAGES
from talkvid.curation.profiles import SCAN, Rule
from talkvid.curation.records import CODES, FAILED, KEPT, REJECTED, UNSCORED, Check, Span, Verdict

Rules = Mapping[str, tuple[Rule, ...]]


@dataclass(frozen=True)
class StageResult:
    """What one stage found out about one clip."""

    backend: str
    signature: str
    """Hash of all that the scores depend on."""
    scores: Mapping[str, float] = field(default_factory=dict)
    code: str = ""
    """Why there are no scores: a code of `records.CODES`."""
    reason: str = ""
    failed: bool = False
    """Whether the stage broke down; with a code and not failed, the clip is rejected."""

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain values; `from_json` reads them back."""
        return {
            "backend": self.backend,
            "signature": self.signature,
            "scores": dict(self.scores),
            "code": self.code,
            "reason": self.reason,
            "failed": self.failed,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "StageResult":
        """Return the result that `to_json` described."""
        return cls(**values)


def scan_scores(span: Span) -> dict[str, float]:
    """Return what the scan measured of a clip as scores: length, sound and every number in its facts."""
    numbers = {
        name: float(value)
        for name, value in span.facts.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    # A profile may round lengths before they are judged: what the scan says of the length then counts.
    return {"duration_s": float(span.duration_s), "has_audio": float(span.has_audio), **numbers}


def missing_stages(
    span: Span, results: Mapping[str, StageResult], rules: Rules, *, score_all: bool
) -> list[str]:
    """Return the stages that a clip's verdict still waits for; none once it is rejected."""
    if not score_all and first_rejection(span, results, rules) is not None:
        return []
    return [stage for stage in STAGES if stage in rules and stage not in results]


def first_rejection(
    span: Span, results: Mapping[str, StageResult], rules: Rules
) -> tuple[str, str, str] | None:
    """Return stage, code and reason of the first rule or stage that turns a clip down, or None."""
    return _rejection(_stage_scores(scan_scores(span), results), results, rules)


def decide(span: Span, results: Mapping[str, StageResult], rules: Rules) -> tuple[Verdict, str]:
    """Return what becomes of a clip and the stage that decided, "" for a clip that is kept.
    A clip that any stage turns down is rejected; else one that any stage broke on has failed; else one that a
    stage has not scored is unscored.
    """
    scores = _stage_scores(scan_scores(span), results)
    # A fact that the scan did not measure has no comparison.
    checks = tuple(
        [
            rule.check(own[rule.score])
            for stage, own in scores.items()
            for rule in rules.get(stage, ())
            if rule.score in own
        ]
    )
    is_clean = all(map(attrgetter("passed"), checks)) and not any(map(attrgetter("code"), results.values()))
    rejection = None if is_clean else _rejection(scores, results, rules)
    if rejection is not None:
        stage, code, reason = rejection
        return Verdict(REJECTED, code, reason, checks), stage
    active = [stage for stage in STAGES if stage in rules]
    for stage in (stage for stage in active if stage in results):
        found = results[stage]
        if found.failed:
            return Verdict(FAILED, found.code, found.reason, checks), stage
        lacking = [rule.score for rule in rules[stage] if rule.score not in found.scores]
        if lacking:
            return Verdict(FAILED, "ERROR", f"stage {stage} gave no score {lacking[0]}", checks), stage
    for stage in (stage for stage in active if stage not in results):
        return Verdict(UNSCORED, stage, f"stage {stage} has not scored it", checks), stage
    return Verdict(KEPT, checks=checks), ""


def reason_of(check: Check) -> str:
    """Return a failed comparison in words, with value and threshold."""
    opposite = {">=": "<", ">": "<=", "<=": ">", "<": ">="}[check.op]
    return f"{check.score} {check.value:.6g} {opposite} {check.threshold:g}: {CODES[check.code]}"


def _rejection(
    scores: Mapping[str, Mapping[str, float]], results: Mapping[str, StageResult], rules: Rules
) -> tuple[str, str, str] | None:
    for stage, own in scores.items():
        result = results.get(stage)
        if result is not None and result.code and not result.failed and stage in rules:
            return stage, result.code, result.reason
        for rule in rules.get(stage, ()):
            if rule.score in own and not rule.passes(own[rule.score]):
                return stage, rule.code, reason_of(rule.check(own[rule.score]))
    return None


def _stage_scores(
    measured: Mapping[str, float], results: Mapping[str, StageResult]
) -> dict[str, Mapping[str, float]]:
    """Return the scores by stage in the order of the verdict, the scan's first."""
    return {SCAN: measured, **{stage: results[stage].scores for stage in STAGES if stage in results}}
