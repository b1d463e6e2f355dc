"""What visitors ask for is checked before anything is run, and what they are told names no folder."""

import io
import json
import shutil
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from talkvid.app import folder as own_folder
from talkvid.app.inputs import find_samples, sides
from talkvid.app.limits import Limits
from talkvid.app.orders import AS_THE_MODEL, make_order, read_wishes, short_stem
from talkvid.app.results import settings_file
from talkvid.app.sentences import ServerTrouble, sentence
from talkvid.face.detect import choose_face
from talkvid.inference.settings import GenerateSettings
from talkvid.media.ffmpeg import FfmpegError
from talkvid.media.image import load_image
from talkvid.media.writer import VideoWriter
from talkvid.records import Face
from tests.app.made_up import SAMPLE, embedded_config, first_second, write_picture, write_sound

LIMITS = Limits(sound_s=2.0, upload_mb=0.5, steps=30, side=512)


def wav_bytes(num_samples: int) -> bytes:
    content = io.BytesIO()
    with wave.open(content, "wb") as sink:
        sink.setparams((1, 2, 16000, 0, "NONE", ""))
        sink.writeframes(bytes(2 * num_samples))
    return content.getvalue()


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
    with pytest.raises(FileNotFoundError, match=r"gone\.wav: this upload is not here any more.*60 minutes"):
        order_of(tmp_path, SAMPLE / "ref.png", tmp_path / "gone.wav")


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


def test_a_silent_speech_is_an_order_that_says_so(tmp_path: Path) -> None:
    silent = order_of(tmp_path, SAMPLE / "ref.png", write_sound(tmp_path / "silent.wav", seconds=0.5))
    heard = order_of(tmp_path, SAMPLE / "ref.png", first_second(tmp_path / "one.wav"))
    assert silent.note == "Nothing can be heard in the speech file." and heard.note == ""


def test_the_longest_and_strangest_names_make_a_legal_one_that_shows_no_hidden_marks(tmp_path: Path) -> None:
    wide = "\N{CJK UNIFIED IDEOGRAPH-20000}" * 60
    sound = first_second(tmp_path / f"{wide}.wav")
    portrait = tmp_path / "por\N{RIGHT-TO-LEFT OVERRIDE}trait.png"
    shutil.copy(SAMPLE / "ref.png", portrait)
    output = order_of(tmp_path, portrait, sound).output
    assert output.name == f"portrait_{wide[:15]}.mp4"
    assert short_stem(Path("\N{RIGHT-TO-LEFT OVERRIDE}.png")) == "file"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("zero.wav", wav_bytes(0), "zero.wav: this audio holds no samples; record or export it again"),
        ("text.wav", b"these are words, not sound", "text.wav: this audio file cannot be opened"),
        (
            "cut.wav",
            wav_bytes(8000)[:30] + bytes(range(256)) * 9,
            "cut.wav: this audio file cannot be opened",
        ),
        ("empty.wav", b"", "empty.wav: this audio file is empty"),
    ],
)
def test_a_sound_that_is_none_is_told_by_its_name(
    tmp_path: Path, name: str, content: bytes, told: str
) -> None:
    sound = tmp_path / name
    sound.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        order_of(tmp_path, SAMPLE / "ref.png", sound)
    assert sentence(caught.value, files=[sound]).startswith(told)


def test_cmyk_animated_and_large_pictures_are_portraits_and_heic_is_named_as_what_it_is_not(
    tmp_path: Path,
) -> None:
    sound = first_second(tmp_path / "one.wav")
    picture = Image.open(SAMPLE / "ref.png").convert("RGB").resize((96, 96))
    picture.convert("CMYK").save(tmp_path / "cmyk.jpg")
    picture.save(tmp_path / "moving.gif", save_all=True, append_images=[picture.rotate(90)])
    write_picture(tmp_path / "large.png", size=(5000, 4000))
    for name in ("cmyk.jpg", "moving.gif", "large.png"):
        assert order_of(tmp_path, tmp_path / name, sound).num_frames == 25
    for name in ("cmyk.jpg", "moving.gif"):
        assert load_image(tmp_path / name).shape == (96, 96, 3)
    (tmp_path / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(ValueError, match=r"not a picture that can be read; give a JPEG or PNG"):
        order_of(tmp_path, tmp_path / "phone.heic", sound)


def test_a_full_disk_is_told_before_the_work_and_in_the_middle_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = "The disk of the server is full; tell whoever runs it, or try again later."
    assert sentence(OSError(28, "No space left on device", "/tmp/x.mp4")) == told
    assert (
        sentence(FfmpegError("ffmpeg failed (228): Error writing trailer: No space left on device")) == told
    )
    monkeypatch.setattr(own_folder, "SPARE_BYTES", 10**18)
    with pytest.raises(ServerTrouble) as caught:
        order_of(tmp_path, SAMPLE / "ref.png", first_second(tmp_path / "one.wav"))
    assert sentence(caught.value) == told


def test_who_shows_two_people_is_sent_to_the_choice_of_the_page() -> None:
    box = np.array([0.0, 0, 10, 10])
    two = [Face(box, np.zeros((5, 2)), 1.0), Face(box + 20, np.zeros((5, 2)), 1.0)]
    with pytest.raises(ValueError) as caught:
        choose_face(two, source="/tmp/x/two.png")
    told = sentence(caught.value)
    assert told.startswith("two.png: 2 faces found") and told.endswith("as “Which face” under Advanced")
    with pytest.raises(ValueError, match="no face found"):
        choose_face([], source="none.png")
    assert read_wishes({"face": "2"}, LIMITS).face == "2"


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
