"""The folder for raters: everything there, nothing that tells who made what; and what is refused."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from talkvid.evaluation.raters.blind import REFERENCE
from talkvid.evaluation.raters.key import read_key
from talkvid.evaluation.raters.make import PAGE_FILES, StudyRequest, make_study
from talkvid.media import ffmpeg
from talkvid.media.video import probe, read_frames
from tests.evaluation.raters.conftest import CLIPS, PICTURES, draw

SYSTEMS = ("ZebraNet", "YakFlow7", "XerusGan")


def request_for(material: Path, output: Path) -> StudyRequest:
    return StudyRequest(
        videos={name: material / name for name in SYSTEMS},
        output=output,
        reference=material / "true",
        raters=4,
        trials=6,
        catch=2,
    )


@pytest.fixture(scope="module")
def study(material: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("study") / "out"
    make_study(request_for(material, output))
    return output


def test_nothing_handed_to_raters_names_a_system_a_clip_or_a_folder(study: Path, material: Path) -> None:
    # Once: the videos carried the model's name in their metadata and their file names.
    told = [name.encode() for name in (*PICTURES, *CLIPS, str(material), "reference", "catch", "still")]
    told.remove(b"true")
    for path in (study / "for_raters").rglob("*"):
        assert re.fullmatch(r"[0-9a-f]{16}\.(mp4|png)", path.name) or path.name in {
            *PAGE_FILES, "study_data.js", "videos", "people",
        }  # fmt: skip
        if path.is_file() and path.name not in PAGE_FILES:
            data = path.read_bytes()
            for word in told:
                assert word.lower() not in data.lower(), (path.name, word)
    assert {path.stat().st_mtime for path in (study / "for_raters" / "videos").iterdir()} == {0}
    assert sorted(path.name for path in study.iterdir()) == ["codes.txt", "for_raters", "key.json"]


def test_no_file_of_the_page_reaches_for_the_network(study: Path) -> None:
    for path in (study / "for_raters").glob("*.*"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(
            r"https?:|//[a-z]+\.|fetch\(|XMLHttp|WebSocket|sendBeacon|eval\(|innerHTML", text
        ), path


def test_the_page_shows_what_the_key_says_and_no_more(study: Path) -> None:
    key = read_key(study / "key.json")
    text = (study / "for_raters" / "study_data.js").read_text()
    data = json.loads(text.removeprefix("window.STUDY = ").removesuffix(";\n"))
    assert data["study"] == key.study and data["kind"] == "ab"
    assert [question["key"] for question in data["questions"]] == [
        "lip_sync", "naturalness", "identity", "overall",
    ]  # fmt: skip
    shown = {trial["id"]: trial for plan in data["plans"].values() for trial in plan}
    assert set(shown) == set(key.trials)
    for name, trial in key.trials.items():
        assert tuple(shown[name]["videos"]) == trial.files
        assert set(shown[name]) == {"id", "videos", "person"}, "catch trials look like all others"
        assert len({key.files[file].clip for file in trial.files}) == 1
    assert (study / "codes.txt").read_text().split() == list(data["plans"]) == list(key.raters)


def test_blinded_videos_show_the_same_pictures_and_catch_trials_a_still_one(
    study: Path, material: Path
) -> None:
    key = read_key(study / "key.json")
    stills = 0
    for name, file in key.files.items():
        made = list(read_frames(study / "for_raters" / "videos" / name))
        source = list(
            read_frames(material / (file.name if file.name != REFERENCE else "true") / f"{file.clip}.mp4")
        )
        assert len(made) == len(source) == 15
        assert probe(study / "for_raters" / "videos" / name).has_audio
        if file.still:
            stills += 1
            assert file.name == REFERENCE
            # The encoder may still refine a picture after its first one.
            assert max(np.abs(made[0].astype(int) - picture.astype(int)).mean() for picture in made) < 1
            assert np.abs(made[0].astype(int) - source[0].astype(int)).mean() < 3
            assert np.abs(made[0].astype(int) - source[-1].astype(int)).mean() > 6, "the source moves"
        else:
            assert np.array_equal(made, source)
    assert stills and {file.name for file in key.files.values()} == {*SYSTEMS, REFERENCE}


def test_the_design_follows_the_seed_while_names_and_codes_do_not(
    study: Path, material: Path, tmp_path: Path
) -> None:
    again = make_study(request_for(material, tmp_path / "again"))
    key = read_key(study / "key.json")

    def seen(one: object) -> list[tuple[str, tuple[str, ...]]]:
        assert isinstance(one, type(key))
        return [(trial.clip, one.names(trial)) for trial in one.trials.values()]

    assert seen(again) == seen(key)
    # Names drawn from the seed could be worked out by whoever knows it.
    assert not set(again.files) & set(key.files) and not set(again.raters) & set(key.raters)
    other = make_study(replace(request_for(material, tmp_path / "other"), seed=1))
    assert seen(other) != seen(key)


def test_videos_not_every_browser_plays_are_refused_or_all_encoded_alike(
    material: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    odd = tmp_path / "odd"
    odd.mkdir()
    for clip in CLIPS:
        ffmpeg.run(
            "-i", material / "YakFlow7" / f"{clip}.mp4", "-c:v", "mpeg4", "-c:a", "aac", odd / f"{clip}.mp4"
        )
    request = StudyRequest(
        videos={"ZebraNet": material / "ZebraNet", "Odd": odd},
        output=tmp_path / "out",
        raters=1,
        trials=3,
        catch=0,
    )
    with pytest.raises(
        ValueError, match=r"\.mp4: mpeg4 yuv420p, aac does not play in every browser; --reencode"
    ):
        make_study(request)
    assert not request.output.exists()
    with caplog.at_level("WARNING", logger="talkvid"):
        key = make_study(replace(request, reencode=True, catch=1))
    assert "--reference makes them from the true videos" in caplog.text
    assert key.settings["reencode"] is True
    assert sorted(file.still for file in key.files.values()) == [False] * 6 + [True]
    assert key.questions == ("lip_sync", "naturalness", "overall"), (
        "nobody is shown, so identity is not asked"
    )


def test_what_cannot_be_compared_is_refused_in_one_line(material: Path, tmp_path: Path) -> None:
    def fails(said: str, **changes: object) -> None:
        request = replace(request_for(material, tmp_path / "out"), **changes)  # type: ignore[arg-type]
        with pytest.raises((ValueError, FileNotFoundError), match=said) as caught:
            make_study(request)
        assert "\n" not in str(caught.value) and not request.output.exists()

    fails(
        "none: this folder of videos does not exist",
        videos={"a": tmp_path / "none", "b": material / "YakFlow7"},
    )
    other = tmp_path / "other"
    draw(other / "vier.mp4", PICTURES["YakFlow7"])
    fails(r"no clip is in every folder \(files: a 1, b 3\)", videos={"a": other, "b": material / "YakFlow7"})
    (tmp_path / "empty").mkdir()
    fails("no video lies in this folder", reference=tmp_path / "empty")
    mute = tmp_path / "mute"
    draw(mute / "speech_eins.mp4", PICTURES["YakFlow7"], audio=False)
    fails("speech_eins.mp4: this video has no sound", videos={"a": mute, "b": material / "YakFlow7"})
    long = tmp_path / "long"
    draw(long / "speech_eins.mp4", PICTURES["YakFlow7"], seconds=0.8)
    fails(
        r"speech_eins: .* lasts 0\.6. s and .* 0\.8. s; cut them alike",
        videos={"a": long, "b": material / "YakFlow7"},
    )
    shutil.copy(material / "YakFlow7" / "speech_eins.mp4", long / "speech_eins.mov")
    fails(
        "speech_eins.mp4: speech_eins.mov is of the same clip", videos={"a": long, "b": material / "YakFlow7"}
    )
    fails("identity cannot be judged", reference=None, questions=("identity",))
    fails("--catch: a still video", questions=("identity",))
    fails("known are lip_sync", questions=("lipsync",))
    fails("names one of them twice", questions=("overall", "overall"))
    fails("trials: 10 asked for, but 3 comparisons of 3 clips give 9", trials=10)
    fails(
        "'reference' cannot be the name",
        videos={"reference": material / "YakFlow7", "b": material / "YakFlow7"},
    )


def test_clips_only_some_have_are_left_out_and_named(
    material: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fewer = tmp_path / "fewer"
    draw(fewer / "speech_eins.mp4", PICTURES["YakFlow7"])
    request = StudyRequest(
        videos={"a": fewer, "b": material / "ZebraNet"},
        output=tmp_path / "out",
        kind="mos",
        raters=1,
        catch=0,
    )
    with caplog.at_level("WARNING", logger="talkvid"):
        key = make_study(request)
    assert "2 clips are left out, as not every folder has them: speech_drei, speech_zwei" in caplog.text
    assert {file.clip for file in key.files.values()} == {"speech_eins"} and len(key.trials) == 2
