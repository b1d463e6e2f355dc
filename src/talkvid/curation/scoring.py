"""The scoring of one clip in a worker: one decode, then each stage's scores until one turns the clip down."""

import importlib
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from talkvid.curation.config import CurateConfig, digest, section
from talkvid.curation.decide import Rules, StageResult, first_rejection
from talkvid.curation.profiles import rules_of
from talkvid.curation.records import CODES, Span
from talkvid.curation.scorer import Scorer, Unscorable
from talkvid.curation.shared_pass import Pictures, Viewing, file_pictures, view
from talkvid.media.video_window import FrameTables
from talkvid.runner.outcome import ERROR, one_line

BUILDERS = {
    "head": ("talkvid.curation.head", "build_head_scorer"),
    "quality": ("talkvid.curation.quality", "build_quality_scorer"),
    "motion": ("talkvid.curation.motion", "build_motion_scorer"),
    "own": ("talkvid.curation.own", "build_own_scorer"),
}
"""Stage -> the function that makes its scorer from its section of the settings."""

DECODE_FAIL = "DECODE_FAIL"


@dataclass(frozen=True)
class ClipItem:
    """A clip that waits for scores."""

    id: str
    signature: str
    """Identity of the source file: another file under the same name is scored anew."""
    span: Span
    needed: tuple[str, ...]
    """Stages to score, in the order of the verdict."""
    stored: Mapping[str, Any] = field(default_factory=dict)
    """All that earlier runs found out: `stage:signature` -> StageResult as plain values."""

    @property
    def partial(self) -> dict[str, Any]:
        """Return what stays known when the scoring fails."""
        return {"stages": dict(self.stored)}


@dataclass(frozen=True)
class Bench:
    """What a worker holds: the scorers and what a verdict needs."""

    scorers: Mapping[str, Scorer]
    signatures: Mapping[str, str]
    rules: Rules
    score_all: bool
    pictures: Pictures


ScorerBuilder = Callable[[CurateConfig, Sequence[str]], Mapping[str, Scorer]]


def build_scorers(config: CurateConfig, stages: Sequence[str]) -> dict[str, Scorer]:
    """Return the scorers of these stages; raise what a missing model, package or setting raises."""
    built: dict[str, Scorer] = {}
    for stage in stages:
        module, name = BUILDERS[stage]
        build = getattr(importlib.import_module(module), name)
        built[stage] = build(section(config, stage))
        assert built[stage].stage == stage, (stage, built[stage])
    return built


def build_bench(
    config: CurateConfig, stages: Sequence[str], signatures: Mapping[str, str], build: ScorerBuilder
) -> Bench:
    """Return what a worker needs to score `stages`; called once in each.

    `signatures` tells those of all active stages, also of the ones that an earlier command has scored.
    """
    scorers = build(config, stages)
    pictures = file_pictures(FrameTables())
    return Bench(scorers, signatures, rules_of(config), config.score_all, pictures)


def signatures_of(scorers: Mapping[str, Scorer]) -> dict[str, str]:
    """Return stage -> hash of all that its scores depend on."""
    return {stage: digest({"stage": stage, **scorer.signature()}) for stage, scorer in scorers.items()}


def score_clip(item: ClipItem, bench: Bench) -> dict[str, Any]:
    """Return {stages, seconds, pictures, host}: what is known of the clip now, and what it took to find out.

    The needed stages look at one decode of the clip; each is finished unless an earlier one, or the scan,
    already turns the clip down.
    """
    viewing = view(item.span, {stage: bench.scorers[stage] for stage in item.needed}, pictures=bench.pictures)
    results = known_results(item.stored, bench.signatures)
    stored = dict(item.stored)
    for stage in item.needed:
        if not bench.score_all and first_rejection(item.span, results, bench.rules) is not None:
            break
        results[stage] = _finish(stage, bench, viewing)
        stored[stored_key(stage, bench.signatures[stage])] = results[stage].to_json()
    seconds = {name: round(value, 4) for name, value in viewing.seconds.items()}
    return {"stages": stored, "seconds": seconds, "pictures": viewing.num_pictures, "host": platform.node()}


def known_results(stored: Mapping[str, Any], signatures: Mapping[str, str]) -> dict[str, StageResult]:
    """Return stage -> result of what is stored under the present signatures."""
    keys = {stage: stored_key(stage, signature) for stage, signature in signatures.items()}
    return {stage: StageResult.from_json(stored[key]) for stage, key in keys.items() if key in stored}


def stored_key(stage: str, signature: str) -> str:
    """Return the name under which a stage's result is stored."""
    return f"{stage}:{signature}"


def _finish(stage: str, bench: Bench, viewing: Viewing) -> StageResult:
    """Return the scores of one stage or why there are none."""
    backend, signature = bench.scorers[stage].backend, bench.signatures[stage]
    if viewing.damage:
        return StageResult(backend, signature, code=DECODE_FAIL, reason=viewing.damage, failed=True)
    fault = viewing.faults.get(stage)
    scores: dict[str, float] = {}
    if fault is None:
        with viewing.recorded(stage):
            scores = {name: _finite(name, value) for name, value in viewing.looks[stage].finish().items()}
        fault = viewing.faults.get(stage)
    if isinstance(fault, Unscorable):
        assert fault.code in CODES, fault.code
        return StageResult(backend, signature, code=fault.code, reason=" ".join(str(fault).split()))
    if fault is not None:
        return StageResult(backend, signature, code=ERROR, reason=one_line(fault), failed=True)
    return StageResult(backend, signature, scores)


def _finite(name: str, value: Any) -> float:
    number = float(value)
    if number - number != 0:
        raise ArithmeticError(f"score {name} is {number}")
    return number
