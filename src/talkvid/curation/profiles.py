"""Rules: which score of which stage must lie where, and the code of the row when it does not."""

import operator
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from talkvid.curation.config import STAGES, CurateConfig
from talkvid.curation.records import CODES, Check

SCAN = "scan"
OFF = "off"
SCORES_OF = {
    "quality": {"embedded": "classical_", "dover": "dover_"},
    "motion": {"embedded": "point_track_", "cotracker": "cotracker_"},
}
"""Stage -> backend -> how the names of its scores begin; with a plug-in's name and _ those of a plug-in. The
scores of `head` are the same for all."""

FAILS_AS = {
    "scan.duration_s": ("DUR_SHORT", "DUR_LONG"),
    "scan.speech_s": ("NO_SPEECH", "NO_SPEECH"),
    "scan.speech_ratio": ("NO_SPEECH", "NO_SPEECH"),
    "scan.has_audio": ("NO_AUDIO", "NO_AUDIO"),
    "scan.damaged_frames": ("DECODE_FAIL", "DECODE_FAIL"),
    "head.movement": ("HEAD_MOVEMENT", "HEAD_MOVEMENT"),
    "head.orientation": ("HEAD_ORIENTATION", "HEAD_ORIENTATION"),
    "head.completeness": ("HEAD_COMPLETENESS", "HEAD_COMPLETENESS"),
    "head.resolution": ("HEAD_RESOLUTION", "HEAD_RESOLUTION"),
    "head.rotation": ("HEAD_ROTATION", "HEAD_ROTATION"),
    "head.face_consistency": ("HEAD_CONSISTENCY", "HEAD_CONSISTENCY"),
    "head.num_faceless": ("NO_FACE", "NO_FACE"),
    "head.num_multiface": ("MULTI_FACE", "MULTI_FACE"),
    "motion.point_track_shake": ("MOTION_LOW", "MOTION_LOW"),
}
"""Score (`avg_` and `min_` left out) -> code when it is too small and when it is too large."""
FAILS_OF_STAGE = {
    SCAN: ("NO_SPEECH", "NO_SPEECH"),
    "head": ("NO_FACE", "NO_FACE"),
    "quality": ("QUALITY_LOW", "QUALITY_LOW"),
    "motion": ("MOTION_LOW", "MOTION_STATIC"),
    "own": ("OWN_FILTER", "OWN_FILTER"),
}
"""The same for scores that FAILS_AS does not name."""

COMPARE = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}

_COMPARISON = re.compile(r"\s*(>=|<=|>|<)?\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*")


@dataclass(frozen=True)
class Rule:
    """One comparison that a clip must pass."""

    stage: str
    score: str
    op: str
    """`>=`, `>`, `<=` or `<`."""
    threshold: float
    code: str

    def passes(self, value: float) -> bool:
        """Return whether a value is on the right side of the threshold."""
        return bool(COMPARE[self.op](value, self.threshold))

    def check(self, value: float) -> Check:
        """Return the comparison of a value with the threshold."""
        op, threshold = self.op, self.threshold
        return Check(self.stage, self.score, value, op, threshold, self.code, COMPARE[op](value, threshold))


def rules_of(config: CurateConfig) -> dict[str, tuple[Rule, ...]]:
    """Return the rules by stage, `scan` first, of the stages and backends that the settings ask for.

    Raises ValueError for a rule that cannot be read and for an asked stage that no rule judges.
    """
    found: dict[str, tuple[Rule, ...]] = {SCAN: tuple(_parsed(SCAN, config.rules.get(SCAN, {})))}
    unknown = [stage for stage in config.rules if stage not in (SCAN, *STAGES)]
    if unknown:
        raise ValueError(f"rules.{unknown[0]}: there is no such stage; choose from scan, {', '.join(STAGES)}")
    for stage in config.active:
        backend = str(getattr(config, stage).get("backend", ""))
        begin = SCORES_OF[stage].get(backend, f"{backend}_") if stage in SCORES_OF else ""
        own = {name: text for name, text in config.rules.get(stage, {}).items() if name.startswith(begin)}
        found[stage] = tuple(_parsed(stage, own))
        if not own:
            raise ValueError(
                f"no rule judges stage {stage} with {stage}.backend={backend}: "
                f"set rules.{stage}.{begin}…='>= …', or leave {stage} out of stages"
            )
    return found


def _parsed(stage: str, rules: Mapping[str, str]) -> Iterator[Rule]:
    for score, text in rules.items():
        if str(text).strip().lower() in (OFF, "false"):
            continue
        for part in str(text).split(","):
            match = _COMPARISON.fullmatch(part)
            if match is None:
                raise ValueError(
                    f"rules.{stage}.{score} is {text!r}: write comparisons like '>= 0.85, <= 0.999', or off"
                )
            op = match[1] or ">="
            yield Rule(stage, score, op, float(match[2]), _code(stage, score, op))


def _code(stage: str, score: str, op: str) -> str:
    bare = f"{stage}.{score.removeprefix('avg_').removeprefix('min_')}"
    low, high = FAILS_AS.get(bare, FAILS_OF_STAGE[stage])
    code = low if op.startswith(">") else high
    assert code in CODES, code
    return code
