"""Studies without videos: a key made by the real plan, and raters who answer by a planted rule."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from talkvid.evaluation.raters.answers import FORMAT
from talkvid.evaluation.raters.design import Design, plan
from talkvid.evaluation.raters.key import Key, KeyFile, KeyTrial
from talkvid.evaluation.raters.questions import FIRST, SECOND, Kind

SECONDS = 2.0
Value = str | int
Rule = Callable[[KeyTrial, Key], Value]


def planted_key(
    kind: Kind = "ab",
    *,
    systems: Sequence[str] = ("alpha", "beta", "gamma"),
    clips: int = 6,
    raters: int = 10,
    trials: int = 18,
    catch: int = 2,
    questions: Sequence[str] = ("overall",),
) -> Key:
    """Return the key that `study make` would write, each file called after what it shows."""
    names = tuple(systems)
    design = Design(
        kind, names, tuple(f"c{number}" for number in range(clips)), raters, trials, catch, 0, names
    )
    files: dict[str, KeyFile] = {}
    rated: dict[str, KeyTrial] = {}
    codes = tuple(f"r{number}" for number in range(raters))
    for code, own in zip(codes, plan(design), strict=True):
        for number, trial in enumerate(own):
            shown = []
            for one in trial.shown:
                file = f"{trial.clip}-{one.name}{'-still' if one.still else ''}.mp4"
                files[file] = KeyFile(trial.clip, one.name, one.still, file, "", SECONDS, 64, 64)
                shown.append(file)
            rated[f"{code}t{number}"] = KeyTrial(code, trial.clip, tuple(shown), trial.catch)
    return Key("planted", kind, tuple(questions), names, codes, files, rated, {})


def attentive(rule: Rule) -> Rule:
    """Return the rule, with the right answer in catch trials."""

    def answer(trial: KeyTrial, key: Key) -> Value:
        if not trial.catch:
            return rule(trial, key)
        if key.kind == "mos":
            return 1
        return SECOND if key.files[trial.files[0]].still else FIRST

    return answer


def answer_content(key: Key, rater: str, rule: Rule, *, seconds: float = 3 * SECONDS) -> dict[str, Any]:
    """Return what the page would save for one rater."""
    answers = [
        {
            "trial": name,
            "seconds": seconds,
            "plays": [1] * len(trial.files),
            "values": {question: rule(trial, key) for question in key.questions},
        }
        for name, trial in key.trials.items()
        if trial.rater == rater
    ]
    return {"format": FORMAT, "study": key.study, "rater": rater, "complete": True, "answers": answers}


def write_answers(folder: Path, key: Key, rule: Rule, *, raters: Sequence[str] | None = None) -> Path:
    """Write the files of the raters, all without `raters`, and return their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for rater in key.raters if raters is None else raters:
        content = answer_content(key, rater, rule)
        (folder / f"answers-{rater}.json").write_text(json.dumps(content), encoding="utf-8")
    return folder
