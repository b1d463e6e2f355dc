"""A study as a folder: the page and the blinded videos for the raters, the key beside it for nobody else."""

import json
import logging
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any

from talkvid.evaluation.raters.blind import (
    REFERENCE,
    Wanted,
    check_playable,
    token,
    write_person,
    write_videos,
)
from talkvid.evaluation.raters.clips import Material, gather
from talkvid.evaluation.raters.design import Design, Trial, check_systems, default_trials, plan
from talkvid.evaluation.raters.key import KEY_NAME, Key, KeyTrial, write_key
from talkvid.evaluation.raters.questions import SCALE, Kind, Question, catch_question, chosen
from talkvid.files import atomic_folder

logger = logging.getLogger(__name__)

RATERS_FOLDER = "for_raters"
CODES_NAME = "codes.txt"
PAGE_FILES = ("index.html", "study.css", "study.js", "trial.js", "store.js")
CODE_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Letters of a rater's code that nobody takes for another."""


@dataclass(frozen=True)
class StudyRequest:
    """What a study is made from."""

    videos: Mapping[str, Path]
    """Folder by system."""
    output: Path
    kind: Kind = "ab"
    reference: Path | None = None
    questions: tuple[str, ...] | None = None
    """Keys; None: all that can be asked."""
    raters: int = 20
    trials: int | None = None
    """Of each rater; None: see `default_trials`."""
    catch: int = 3
    seed: int = 0
    reencode: bool = False
    allow_length_mismatch: bool = False


def make_study(request: StudyRequest) -> Key:
    """Write `for_raters/` (index.html, videos), `key.json` and `codes.txt` below the output; return the key.

    Nothing below `for_raters/` names a system, its order or its folder: file names, trial and rater codes
    are random, videos carry no metadata, the order is drawn per rater. Raises FileNotFoundError or ValueError
    for anything wrong with the request; the output folder then does not exist.
    """
    check_systems(request.kind, len(request.videos))
    _check_names(request.videos)
    material = gather(
        request.videos, reference=request.reference, allow_length_mismatch=request.allow_length_mismatch
    )
    questions = chosen(request.questions, with_person=bool(material.reference))
    if request.catch and catch_question(questions) is None:
        raise ValueError("--catch: a still video can only be told by another question than identity; add one")
    if request.catch and not material.reference:
        logger.warning(
            "catch trials are made from the systems' own videos; a bad one may lose against a still picture: "
            "--reference makes them from the true videos"
        )
    check_playable(material, reencode=request.reencode)
    design = _design(request, material)
    plans = plan(design)
    with atomic_folder(request.output) as folder:
        return _write(request, design, plans, material, questions, folder)


def _check_names(videos: Mapping[str, Path]) -> None:
    for name in videos:
        if not name.strip() or not name.isprintable() or name == REFERENCE:
            raise ValueError(f"--videos: {name!r} cannot be the name of a system; choose another one")


def _design(request: StudyRequest, material: Material) -> Design:
    systems = tuple(request.videos)
    return Design(
        kind=request.kind,
        systems=systems,
        clips=material.clips,
        raters=request.raters,
        trials=(
            default_trials(request.kind, len(systems), len(material.clips))
            if request.trials is None
            else request.trials
        ),
        catch=request.catch,
        seed=request.seed,
        catch_names=(REFERENCE,) if material.reference else systems,
    )


def _write(
    request: StudyRequest,
    design: Design,
    plans: Sequence[Sequence[Trial]],
    material: Material,
    questions: Sequence[Question],
    folder: Path,
) -> Key:
    handed_out = folder / RATERS_FOLDER
    wanted: list[Wanted] = [(trial.clip, one) for trials in plans for trial in trials for one in trial.shown]
    names, files = write_videos(sorted(wanted, key=_any_order), material, handed_out / "videos",
                                reencode=request.reencode)  # fmt: skip
    trials = {token(): (number, trial) for number, own in enumerate(plans) for trial in own}
    codes = [_code(number) for number in range(len(plans))]
    key = Key(
        study=token(),
        kind=request.kind,
        questions=tuple(question.key for question in questions),
        systems=design.systems,
        raters=tuple(codes),
        files=files,
        trials={
            name: KeyTrial(
                rater=codes[number],
                clip=trial.clip,
                files=tuple(names[trial.clip, one] for one in trial.shown),
                catch=trial.catch,
            )
            for name, (number, trial) in trials.items()
        },
        settings=_settings(request, design),
    )
    people = {}
    if any(question.needs_person for question in questions):
        people = {
            clip: write_person(material.reference[clip], handed_out / "people") for clip in material.clips
        }
    _write_page(key, questions, people, handed_out)
    write_key(key, folder / KEY_NAME)
    (folder / CODES_NAME).write_text("".join(f"{code}\n" for code in codes), encoding="utf-8")
    logger.info("%d videos for %d raters, %d trials each", len(files), len(codes), len(plans[0]))
    return key


def _any_order(_: Wanted) -> str:
    # Videos are written in random order, so that no folder listing tells who came first.
    return secrets.token_hex(4)


def _code(number: int) -> str:
    return f"{number + 1:02d}-" + "".join(secrets.choice(CODE_LETTERS) for _ in range(4))


def _settings(request: StudyRequest, design: Design) -> dict[str, Any]:
    told = asdict(design)
    return {
        "talkvid": version("talkvid"),
        "design": {name: told[name] for name in ("raters", "trials", "catch", "seed", "clips")},
        "reencode": request.reencode,
        "folders": {name: str(path.resolve()) for name, path in request.videos.items()},
        "reference": str(request.reference.resolve()) if request.reference else None,
    }


def _write_page(key: Key, questions: Sequence[Question], people: Mapping[str, str], folder: Path) -> None:
    """Write the page and `study_data.js`: a script, for a page opened from disk may not read JSON files."""
    plans: dict[str, list[dict[str, Any]]] = {code: [] for code in key.raters}
    for name, trial in key.trials.items():
        shown: dict[str, Any] = {"id": name, "videos": list(trial.files)}
        if trial.clip in people:
            shown["person"] = people[trial.clip]
        plans[trial.rater].append(shown)
    content = {
        "study": key.study,
        "kind": key.kind,
        "scale": list(SCALE),
        "aspect": round(max(file.width / file.height for file in key.files.values()), 4),
        "questions": [
            {"key": question.key, "text": question.compare if key.kind == "ab" else question.rate}
            for question in questions
        ],
        "plans": plans,
    }
    text = json.dumps(content, ensure_ascii=True, allow_nan=False).replace("<", "\\u003c")
    (folder / "study_data.js").write_text(f"window.STUDY = {text};\n", encoding="utf-8")
    source = resources.files("talkvid.evaluation.raters").joinpath("page")
    for name in PAGE_FILES:
        with resources.as_file(source.joinpath(name)) as path:
            shutil.copyfile(path, folder / name)
