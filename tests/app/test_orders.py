"""What visitors ask for is checked before anything is run, and what they are told names no folder."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from talkvid.app.inputs import find_samples, sides
from talkvid.app.limits import Limits
from talkvid.app.orders import AS_THE_MODEL, make_order, read_wishes
from talkvid.app.results import settings_file
from talkvid.app.sentences import sentence
from talkvid.inference.settings import GenerateSettings
from talkvid.media.writer import VideoWriter
from tests.app.made_up import SAMPLE, embedded_config, write_picture, write_sound

LIMITS = Limits(sound_s=2.0, upload_mb=0.5, steps=30, side=512)


def order_of(tmp_path: Path, portrait: Path | None, sound: Path | None, **wishes: Any) -> Any:
    picture, speech = (None if path is None else str(path) for path in (portrait, sound))
    return make_order(
        picture, speech, wishes, limits=LIMITS, config=embedded_config(), folder=tmp_path / "made"
    )


def test_an_order_knows_how_much_work_it_is_and_where_its_video_will_lie(tmp_path: Path) -> None:
    sound = write_sound(tmp_path / "hello.wav", seconds=1.0)
    first, second = (order_of(tmp_path, SAMPLE / "ref.png", sound, seed=7) for _ in range(2))
    assert first.num_frames == 25 and first.num_calls >= 1 and first.settings.seed == 7
    assert first.output.name == "ref_hello.mp4" and first.output.parent.parent == tmp_path / "made"
    assert first.output.parent != second.output.parent and len(first.output.parent.name) == 32


def test_what_is_missing_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Give a portrait first"):
        order_of(tmp_path, None, None)
    with pytest.raises(ValueError, match="Give the speech first"):
        order_of(tmp_path, SAMPLE / "ref.png", None)


def test_sound_picture_and_file_that_are_too_large_are_refused(tmp_path: Path) -> None:
    good = write_sound(tmp_path / "good.wav", seconds=1.9)
    with pytest.raises(ValueError, match=r"longer than the 2 s"):
        order_of(tmp_path, SAMPLE / "ref.png", write_sound(tmp_path / "long.wav", seconds=2.2))
    with pytest.raises(ValueError, match=r"more than 50 million"):
        order_of(tmp_path, write_picture(tmp_path / "huge.png", size=(9000, 6000)), good)
    with pytest.raises(ValueError, match=r"0\.6 MB, more than the 0\.5 MB"):
        order_of(tmp_path, SAMPLE / "ref.png", write_sound(tmp_path / "fat.wav", seconds=20))
    driving = tmp_path / "driving.mp4"
    with VideoWriter(driving, 16, 16, 5, preset="ultrafast") as writer:
        for _ in range(15):
            writer.write(np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(ValueError, match=r"driving video lasts 3 s, longer than the 2 s"):
        order_of(tmp_path, SAMPLE / "ref.png", good, driving_video=str(driving))


def test_a_file_that_is_no_picture_is_refused_before_any_network_runs(tmp_path: Path) -> None:
    fake = tmp_path / "face.png"
    fake.write_bytes(b"<svg onload=alert(1)>")
    with pytest.raises(ValueError) as caught:
        order_of(tmp_path, fake, write_sound(tmp_path / "a.wav", seconds=1))
    assert str(tmp_path) not in sentence(caught.value, files=[fake])


def test_wishes_become_settings_and_what_is_left_to_the_model_stays_open() -> None:
    open_ones = {"head_motion": AS_THE_MODEL, "blink": AS_THE_MODEL, "driving_video": None}
    assert read_wishes(open_ones, LIMITS) == GenerateSettings()
    read = read_wishes({"size": 256, "blink": "no", "seed": 3.0, "label": True, "guidance_scale": 2}, LIMITS)
    assert (read.image_width, read.image_height, read.blink, read.seed, read.label) == (
        256,
        256,
        False,
        3,
        True,
    )


@pytest.mark.parametrize(
    ("wishes", "told"),
    [
        ({"size": 1024}, "more than the 512 allowed"),
        ({"size": 100}, "multiple of 8"),
        ({"num_inference_steps": 31}, "more than the 30 allowed"),
        ({"seed": -1}, "whole number"),
        ({"seed": 1.5}, "whole number"),
        ({"seed": float("nan")}, "whole number"),
        ({"guidance_scale": 1000}, "from 1 to 100"),
        ({"retarget_strategy": "no_retarget"}, "needs a driving video"),
        ({"retarget_strategy": "rm -rf"}, "driving video"),
        ({"head_motion": "wild"}, "not supported"),
    ],
)
def test_senseless_wishes_are_refused_whoever_sends_them(wishes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read_wishes(wishes, LIMITS)


def test_limits_below_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="sound_s: must be more than 0"):
        Limits(sound_s=0)


@pytest.mark.logs_errors
def test_sentences_name_files_without_folders_and_hide_faults_behind_a_number() -> None:
    error = ValueError("/tmp/a b/c/face.png: no face found;\n see /tmp/other/x.png")
    assert sentence(error, files=["/tmp/a b/c/face.png"]) == "face.png: no face found; see x.png"
    assert (
        sentence(PermissionError(13, "Permission denied", "/root/k/out.mp4")) == "out.mp4: Permission denied"
    )
    hidden = sentence(KeyError("/etc/passwd"))
    assert "passwd" not in hidden and hidden.startswith("Something went wrong")


def test_settings_to_take_home_hold_no_path_of_the_server(tmp_path: Path) -> None:
    video = tmp_path / "a_b.mp4"
    content = {
        "seed": 1,
        "inputs": {"audio": {"path": "/srv/secret/b.wav"}},
        "weights": [{"path": "/x/w.bin"}],
    }
    Path(f"{video}.json").write_text(json.dumps(content), encoding="utf-8")
    read = json.loads(settings_file(video).read_text(encoding="utf-8"))
    assert read == {"seed": 1, "inputs": {"audio": {"path": "b.wav"}}, "weights": [{"path": "w.bin"}]}


def test_samples_and_sizes_to_choose_from() -> None:
    names = [
        (Path(portrait).parent.name, Path(sound).name) for portrait, sound in find_samples(SAMPLE.parent)
    ]
    assert names == [("astronaut", "aud.wav"), ("hopper", "aud.wav")]
    assert sides(embedded_config(), LIMITS) == [256, 384, 512] and find_samples(Path("/nowhere")) == []
