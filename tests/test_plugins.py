"""Parts of one's own by name: what a file may say, what is refused, that no name brings code in by itself."""

from pathlib import Path

import pytest

from talkvid import plugins
from talkvid.inference.settings import GenerateSettings, LoadOptions

CALM = "PLUGINS = {'retarget_strategy': {'calm': lambda reference, moving: moving}}\n"


def listed(monkeypatch: pytest.MonkeyPatch, *files: Path | str) -> None:
    monkeypatch.setenv(plugins.VARIABLE, ":".join(map(str, files)))


def written(folder: Path, text: str, name: str = "own.py") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_listed_file_adds_its_names_behind_the_built_in_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert plugins.choices("retarget_strategy", ("fix_face",)) == ("fix_face",)
    with pytest.raises(ValueError, match="'calm' is not supported"):
        GenerateSettings(retarget_strategy="calm")
    listed(monkeypatch, written(tmp_path, CALM))
    assert plugins.choices("retarget_strategy", ("fix_face",)) == ("fix_face", "calm")
    assert GenerateSettings(retarget_strategy="calm").retarget_strategy == "calm"
    assert plugins.find("retarget_strategy", "calm")(1, 2) == 2
    assert plugins.describe("retarget_strategy", "calm")["plugin"] == "own.py"


def test_a_file_that_is_not_listed_is_never_run_whatever_a_name_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "run"
    file = written(tmp_path, f"open({str(mark)!r}, 'w').close()\n{CALM}")
    for name in (str(file), f"{file}:calm", "os:system"):
        with pytest.raises(ValueError, match="is not supported"):
            LoadOptions(face_backend=name)
        with pytest.raises(ValueError, match="no plug-in gives"):
            plugins.find("face_backend", name)
    assert not mark.exists()
    listed(monkeypatch, file)
    plugins.names("filter")
    assert mark.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no table PLUGINS"),
        ("PLUGINS = ['filter']", "has no table PLUGINS"),
        ("PLUGINS = {'filters': {'a': 1}}", "has the kind 'filters'; choose from filter"),
        ("PLUGINS = {'filter': {'../a': 1}}", "a name is small letters"),
        ("PLUGINS = {'filter': {'taken': 1}}", "'taken' is a built-in name"),
    ],
)
def test_a_file_that_does_not_fit_is_an_error_that_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    listed(monkeypatch, written(tmp_path, text))
    with pytest.raises(ValueError, match=message):
        plugins.choices("filter", ("taken",))


def test_a_file_that_breaks_or_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed(monkeypatch, written(tmp_path, "1 / 0"))
    with pytest.raises(ImportError, match=r"own\.py cannot be loaded: ZeroDivisionError"):
        plugins.names("filter")
    listed(monkeypatch, tmp_path / "absent.py")
    with pytest.raises(FileNotFoundError, match=r"absent\.py does not exist"):
        plugins.names("filter")
    listed(monkeypatch, "no_such_module_anywhere")
    with pytest.raises(ImportError, match="no_such_module_anywhere cannot be imported"):
        plugins.names("filter")


def test_the_same_name_in_two_files_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed(monkeypatch, written(tmp_path, CALM), written(tmp_path, CALM, "other.py"))
    with pytest.raises(ValueError, match=r"other\.py: retarget_strategy 'calm' is in another file"):
        plugins.names("retarget_strategy")


def test_the_hash_of_a_file_changes_with_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = []
    for number, text in enumerate((CALM, CALM + "# more\n")):
        folder = tmp_path / str(number)
        folder.mkdir()
        listed(monkeypatch, written(folder, text))
        hashes.append(plugins.describe("retarget_strategy", "calm")["plugin_sha256"])
    assert hashes[0] != hashes[1]
    assert plugins.describe("retarget_strategy", "fix_face") == {}
