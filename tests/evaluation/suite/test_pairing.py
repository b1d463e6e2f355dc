"""Which file belongs to which; pairing reads no video, so any bytes will do."""

from pathlib import Path

import pytest

from talkvid.evaluation.suite.pairing import Generated, find_pairs, read_generated


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def test_files_of_folders_belong_together_by_their_names_below_the_folder(tmp_path: Path) -> None:
    made = fill(tmp_path / "ours", "b.mp4", "a.avi", "deep/a.mp4", ".hidden.mp4", ".tmp/a.mp4", "notes.txt")
    truth = fill(tmp_path / "true", "a.mp4", "b.mov", "deep/a.mp4")
    sounds = fill(tmp_path / "sounds", "a.wav", "b.m4a", "deep/a.mp4", "deep/a.wav")
    faces = fill(tmp_path / "faces", "a.png", "b.jpg", "deep/a.jpeg", "a.txt")
    found = find_pairs([Generated("ours", made)], reference=truth, audio=sounds, portraits=faces)
    assert found.unpaired == ()
    assert [(pair.id, pair.made, pair.reference, pair.audio, pair.portrait) for pair in found.pairs] == [
        ("ours/a", made / "a.avi", truth / "a.mp4", sounds / "a.wav", faces / "a.png"),
        ("ours/b", made / "b.mp4", truth / "b.mov", sounds / "b.m4a", faces / "b.jpg"),
        # A sound file comes before a video of the same name.
        (
            "ours/deep/a",
            made / "deep/a.mp4",
            truth / "deep/a.mp4",
            sounds / "deep/a.wav",
            faces / "deep/a.jpeg",
        ),
    ]


def test_one_video_needs_nothing_else_and_keeps_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "astronaut.mp4")
    monkeypatch.chdir(tmp_path)
    pair = find_pairs([read_generated("astronaut.mp4")]).pairs[0]
    assert (pair.system, pair.clip, pair.made) == ("astronaut", "astronaut", tmp_path / "astronaut.mp4")
    assert pair.reference is None and pair.audio is None and pair.portrait is None


def test_single_files_meet_whatever_their_names_and_show_one_clip(tmp_path: Path) -> None:
    fill(tmp_path, "take1.mp4", "wav2lip.mp4", "ours.mp4")
    systems = [Generated("ours", tmp_path / "ours.mp4"), Generated("wav2lip", tmp_path / "wav2lip.mp4")]
    found = find_pairs(systems, reference=tmp_path / "take1.mp4").pairs
    assert [pair.id for pair in found] == ["ours/take1", "wav2lip/take1"]
    assert {pair.reference for pair in found} == {tmp_path / "take1.mp4"}


def test_one_sound_or_portrait_serves_all_but_one_true_video_does_not(tmp_path: Path) -> None:
    made = fill(tmp_path / "ours", "a.mp4", "b.mp4")
    fill(tmp_path, "speech.wav", "me.png", "a.mp4")
    one = [Generated("ours", made)]
    found = find_pairs(one, audio=tmp_path / "speech.wav", portraits=tmp_path / "me.png").pairs
    assert {(pair.audio, pair.portrait) for pair in found} == {(tmp_path / "speech.wav", tmp_path / "me.png")}
    with pytest.raises(
        ValueError, match="ours: 1 of 2 made videos have no true video: b; complete --reference"
    ):
        find_pairs(one, reference=tmp_path / "a.mp4")


def test_nothing_is_dropped_silently(tmp_path: Path) -> None:
    made = fill(tmp_path / "ours", *(f"{number}.mp4" for number in range(8)))
    truth = fill(tmp_path / "true", "0.mp4", "8.mp4", "9.mp4")
    one = [Generated("ours", made)]
    with pytest.raises(ValueError, match=r"7 of 8 made videos have no true video: 1, 2, 3, 4, 5 and 2 more"):
        find_pairs(one, reference=truth)
    found = find_pairs(one, reference=truth, allow_missing=True)
    assert len(found.pairs) == 8 and [pair.reference is None for pair in found.pairs].count(True) == 7
    assert found.unpaired == (
        "ours: 7 of 8 made videos have no true video: 1, 2, 3, 4, 5 and 2 more",
        "ours: 2 of 3 true videos of --reference have no made video: 8, 9",
    )
    # Sounds and portraits without a partner are told as well, and are no error.
    whole = fill(tmp_path / "sounds", *(f"{number}.wav" for number in range(9)))
    assert find_pairs(one, audio=whole).unpaired == ("ours: 1 of 9 sounds of --audio have no made video: 8",)


@pytest.mark.parametrize(
    ("text", "system", "path"),
    [
        ("ours=made", "ours", "made"),
        ("made", "made", "made"),
        ("made/", "made", "made"),
        ("clip.mp4", "clip", "clip.mp4"),
        ("a=b", "a=b", "a=b"),  # a folder of that name is there
        ("Wav2Lip=a=b", "Wav2Lip", "a=b"),
        (".", None, "."),
    ],
)
def test_a_system_is_named_by_the_user_or_by_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, system: str | None, path: str
) -> None:
    fill(tmp_path, "made/a.mp4", "a=b/a.mp4", "clip.mp4")
    monkeypatch.chdir(tmp_path)
    found = read_generated(text)
    assert (found.system, found.path) == (system or tmp_path.name, Path(path))


def test_what_does_not_fit_is_said_in_one_line(tmp_path: Path) -> None:
    made = fill(tmp_path / "ours", "a.mp4")
    for text in ("=made", "ours="):
        with pytest.raises(ValueError, match="give NAME=PATH, or PATH alone"):
            read_generated(text)
    with pytest.raises(FileNotFoundError, match=r"--generated .*gone: no such file or folder"):
        find_pairs([Generated("gone", tmp_path / "gone")])
    with pytest.raises(FileNotFoundError, match=r"--audio .*gone"):
        find_pairs([Generated("ours", made)], audio=tmp_path / "gone")
    with pytest.raises(ValueError, match=r"no file in it ends in \.mp4, \.mov"):
        find_pairs([Generated("empty", fill(tmp_path / "empty", "a.txt"))])
    with pytest.raises(ValueError, match=r"a\.avi and a\.mp4 share the stem 'a'; keep one of them"):
        find_pairs([Generated("twice", fill(tmp_path / "twice", "a.mp4", "a.avi"))])
    with pytest.raises(ValueError, match=r"a\.flac and a\.wav share"):
        find_pairs([Generated("ours", made)], audio=fill(tmp_path / "sounds", "a.flac", "a.wav"))
    with pytest.raises(ValueError, match="names 'ours' twice; give each system a NAME=PATH"):
        find_pairs([Generated("ours", made), Generated("ours", made)])
