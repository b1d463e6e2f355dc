from typing import Any

import pytest
from curation_jobs import GOOD

from talkvid.curation.config import CurateConfig, load_curate_config
from talkvid.curation.decide import StageResult, decide, missing_stages, scan_scores
from talkvid.curation.profiles import rules_of
from talkvid.curation.records import Span

SPAN = Span("v", "v.mp4", 1, 0, 100, (1, 10), 0, 100, 640, 480, 10.0, has_audio=True)


def settings(*overrides: str) -> CurateConfig:
    return load_curate_config(overrides=overrides)


def results(**changed: dict[str, float]) -> dict[str, StageResult]:
    return {stage: StageResult("embedded", "s", {**GOOD[stage], **changed.get(stage, {})}) for stage in GOOD}


def test_a_clip_that_passes_everything_is_kept_with_every_comparison_and_its_margin() -> None:
    verdict, stage = decide(SPAN, results(), rules_of(settings()))
    assert (verdict.status, verdict.code, stage) == ("kept", "", "")
    by_score = {(check.score, check.op): check for check in verdict.checks}
    assert by_score["avg_movement", ">="].margin == 20
    assert by_score["point_track_ratio", "<="].margin == pytest.approx(0.9997 - 0.95)
    assert [check.stage for check in verdict.checks] == sorted(
        [check.stage for check in verdict.checks], key=["scan", "head", "quality", "motion"].index
    )


@pytest.mark.parametrize(
    ("stage", "score", "value", "code", "word"),
    [
        ("head", "min_movement", 59.9, "HEAD_MOVEMENT", "59.9 < 60"),
        ("head", "avg_resolution", 1.0, "HEAD_RESOLUTION", "1 < 50"),
        ("head", "face_consistency", 60.0, "HEAD_CONSISTENCY", "60 < 80"),
        ("quality", "classical_quality", 0.0, "QUALITY_LOW", "0 < "),
        ("motion", "point_track_ratio", 0.5, "MOTION_LOW", "0.5 < "),
        ("motion", "point_track_ratio", 1.0, "MOTION_STATIC", "1 > "),
        ("motion", "point_track_lowest", 0.1, "MOTION_LOW", "0.1 < 0.5"),
        ("motion", "point_track_shake", 3.0, "MOTION_LOW", "3 > "),
        ("motion", "point_track_longest_still_s", 2.0, "MOTION_STATIC", "2 > 1"),
    ],
)
def test_a_reject_says_which_score_failed_with_value_and_threshold(
    stage: str, score: str, value: float, code: str, word: str
) -> None:
    # Once: one boolean over all scores, and nobody could tell which one failed.
    verdict, decided_by = decide(SPAN, results(**{stage: {score: value}}), rules_of(settings()))
    assert (verdict.status, verdict.code, decided_by) == ("rejected", code, stage)
    assert word in verdict.reason


@pytest.mark.parametrize(("text", "value", "kept"), [
    (">= 5", 5.0, True), ("> 5", 5.0, False), ("<= 5", 5.0, True), ("< 5", 5.0, False), ("5", 5.0, True),
    (">= 5, < 6", 5.5, True), (">= 5, < 6", 6.0, False), ("off", -1.0, True), (">=5e0", 4.999999, False),
])  # fmt: skip
def test_every_comparison_is_exact_at_its_threshold(text: str, value: float, kept: bool) -> None:
    config = settings(f"rules.quality.classical_quality={text}")
    verdict, _ = decide(SPAN, results(quality={"classical_quality": value}), rules_of(config))
    assert (verdict.status == "kept") is kept


def test_a_bare_number_and_an_override_replace_the_threshold_of_the_profile() -> None:
    rules = rules_of(settings("rules.head.avg_movement=95", "rules.motion.point_track_ratio=>=0.5"))
    assert [rule.threshold for rule in rules["head"] if rule.score == "avg_movement"] == [95.0]
    ratio = [(rule.op, rule.threshold) for rule in rules["motion"] if rule.score == "point_track_ratio"]
    assert ratio == [(">=", 0.5)]


def test_a_missing_stage_leaves_a_clip_unscored_unless_it_is_rejected_already() -> None:
    rules = rules_of(settings())
    known = results()
    del known["quality"]
    verdict, stage = decide(SPAN, known, rules)
    assert (verdict.status, verdict.code, stage) == ("unscored", "quality", "quality")
    assert missing_stages(SPAN, known, rules, score_all=False) == ["quality"]
    known["motion"] = StageResult("embedded", "s", {**GOOD["motion"], "point_track_ratio": 0.1})
    verdict, stage = decide(SPAN, known, rules)
    assert (verdict.status, verdict.code, stage) == ("rejected", "MOTION_LOW", "motion")
    assert missing_stages(SPAN, known, rules, score_all=False) == []
    assert missing_stages(SPAN, known, rules, score_all=True) == ["quality"]


def test_a_failure_is_no_rejection_and_a_rejection_elsewhere_outweighs_it() -> None:
    rules = rules_of(settings())
    known = results()
    known["head"] = StageResult("embedded", "s", code="DECODE_FAIL", reason="cut short", failed=True)
    verdict, stage = decide(SPAN, known, rules)
    assert (verdict.status, verdict.code, verdict.reason, stage) == (
        "failed",
        "DECODE_FAIL",
        "cut short",
        "head",
    )
    known["quality"] = StageResult("embedded", "s", {"classical_quality": 0.0})
    assert decide(SPAN, known, rules)[0].code == "QUALITY_LOW"


def test_a_clip_without_a_face_is_rejected_by_its_code() -> None:
    known = {**results(), "head": StageResult("embedded", "s", code="NO_FACE", reason="of 5 looks none")}
    verdict, stage = decide(SPAN, known, rules_of(settings()))
    assert (verdict.status, verdict.code, stage) == ("rejected", "NO_FACE", "head")


def test_a_stage_that_forgets_a_score_is_a_failure_and_not_a_pass() -> None:
    known = {**results(), "quality": StageResult("embedded", "s", {"classical_sharpness": 1.0})}
    verdict, _ = decide(SPAN, known, rules_of(settings()))
    assert (verdict.status, verdict.code) == ("failed", "ERROR")
    assert "classical_quality" in verdict.reason


def test_lengths_and_speech_are_rules_on_what_the_scan_measured() -> None:
    lengths = [
        "rules.scan.duration_s=>= 3, <= 9",
        "rules.scan.speech_ratio=>= 0.5",
        "rules.scan.has_audio=off",
    ]
    rules = rules_of(settings(*lengths))
    assert decide(SPAN, {}, rules)[0].code == "DUR_LONG"
    short = Span(
        "v", "v.mp4", 1, 0, 50, (1, 10), 0, 50, 64, 64, 10.0, facts={"speech_ratio": 0.4, "speaker": "A"}
    )
    assert scan_scores(short) == {"speech_ratio": 0.4, "duration_s": 5.0, "has_audio": 0.0}
    assert decide(short, {}, rules)[0].code == "NO_SPEECH"
    silent = rules_of(settings(*lengths[:2], "rules.scan.has_audio=>=1"))
    assert "NO_AUDIO" in [check.code for check in decide(short, {}, silent)[0].checks if not check.passed]


def test_parity_takes_more_than_five_seconds_and_the_published_dover_score() -> None:
    # Once: durations were rounded to 0.1 s first, so that 5.05 s was rejected and 5.06 s kept.
    rules = rules_of(settings("profile=parity", "quality.backend=dover"))
    assert {(rule.op, rule.threshold) for rule in rules["scan"] if rule.score == "duration_s"} == {(">", 5.0)}
    assert [(rule.score, rule.op, rule.threshold) for rule in rules["quality"]] == [
        ("dover_scores", ">=", 5.0)
    ]


@pytest.mark.parametrize(("overrides", "message"), [
    (["rules.head.avg_movement=about 5"], "rules.head.avg_movement is 'about 5': write comparisons"),
    (["rules.taste.sweet=>=1"], "rules.taste: there is no such stage"),
    (["stages=[smell]"], "stages holds 'smell'"),
    (["profile=strict"], "profile 'strict' is unknown"),
    (["head.bakend=x"], "bakend"),
])  # fmt: skip
def test_a_wrong_rule_or_setting_is_named(overrides: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rules_of(settings(*overrides))


def test_a_backend_that_no_rule_judges_is_an_error_and_not_a_pass(tmp_path: Any) -> None:
    profile = tmp_path / "mine.yaml"
    profile.write_text("rules:\n  quality:\n    dover_fused: '>= 0.4'\n")
    with pytest.raises(ValueError, match=r"no rule judges stage quality with quality.backend=embedded"):
        rules_of(settings(f"profile={profile}", "stages=[quality]"))
