"""Settings load into frozen dataclasses and every mistake is one line that names the key."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from talkvid.config import load_config, to_yaml


@dataclass(frozen=True)
class Step:
    name: str = "first"
    weight: float = 1.0


@dataclass(frozen=True)
class Data:
    train_bs: int = 1
    widths: tuple[int, ...] = (1, 2)
    size: tuple[int, int] = (512, 512)
    mode: Literal["crop", "pad"] = "crop"
    gamma: float | None = None
    root: Path = Path("data")

    def __post_init__(self) -> None:
        if self.train_bs < 1:
            raise ValueError(f"data.train_bs must be >= 1, got {self.train_bs}")


@dataclass(frozen=True)
class Config:
    data: Data = field(default_factory=Data)
    steps: tuple[Step, ...] = ()
    factors: dict[str, float] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class WithRequired:
    path: str
    count: int = 3


def written(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text)
    return path


def test_defaults_alone_make_the_schema() -> None:
    assert load_config(Config) == Config()


def test_yaml_then_overrides_win_in_order(tmp_path: Path) -> None:
    path = written(tmp_path, "data: {train_bs: 4, gamma: 1e-5}\nnames: [a, b]\n")
    config = load_config(Config, path, overrides=["data.train_bs=8", "data.train_bs=9", "names=[c]"])
    assert (config.data.train_bs, config.data.gamma, config.names) == (9, 1e-5, ["c"])


def test_two_files_merge_key_by_key(tmp_path: Path) -> None:
    first = written(tmp_path, "data: {train_bs: 4, mode: pad}\n")
    second = tmp_path / "second.yaml"
    second.write_text("data: {train_bs: 5}\n")
    config = load_config(Config, first, second)
    assert (config.data.train_bs, config.data.mode) == (5, "pad")


def test_tuples_and_nested_dataclasses_are_restored(tmp_path: Path) -> None:
    path = written(
        tmp_path, "data: {widths: [3, 4, 5], size: [64, 32], root: here}\nsteps: [{name: x}, {weight: 2}]"
    )
    config = load_config(Config, path)
    assert config.data.widths == (3, 4, 5) and config.data.size == (64, 32)
    assert config.data.root == Path("here")
    assert config.steps == (Step(name="x"), Step(weight=2.0))


def test_here_is_the_folder_of_the_file_whichever_folder_one_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "configs").mkdir()
    text = "data: {root: '${here}/../data'}\nnames: ['${here}', plain]\nsteps: [{name: '${here}/x'}]\n"
    written(tmp_path / "configs", text)
    monkeypatch.chdir(tmp_path)
    config = load_config(Config, Path("configs/settings.yaml"))
    here = tmp_path / "configs"
    assert config.data.root == Path(f"{here}/../data") and config.names == [str(here), "plain"]
    assert config.steps == (Step(name=f"{here}/x"),)


def test_result_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        load_config(Config).data.train_bs = 2  # type: ignore[misc]


def test_unknown_key_names_the_nearest() -> None:
    with pytest.raises(ValueError) as caught:
        load_config(Config, overrides=["data.train_sb=2"])
    assert str(caught.value) == "Key 'train_sb' not in 'Data'. Did you mean: 'train_bs'?"


def test_unknown_key_in_a_file_names_the_file_too(tmp_path: Path) -> None:
    path = written(tmp_path, "data: {train_sb: 2}\n")
    with pytest.raises(ValueError) as caught:
        load_config(Config, path)
    assert str(caught.value) == f"{path}: Key 'train_sb' not in 'Data'. Did you mean: 'train_bs'?"


def test_unknown_key_inside_a_sequence_is_found_as_well() -> None:
    with pytest.raises(ValueError, match=r"steps: Key 'wieght' not in 'Step'. Did you mean: 'weight'?"):
        load_config(Config, overrides=["steps=[{wieght: 2}]"])
    with pytest.raises(ValueError, match=r"steps: weight='big'"):
        load_config(Config, overrides=["steps=[{weight: big}]"])
    with pytest.raises(ValueError, match=r"steps=.3.: "):
        load_config(Config, overrides=["steps=[3]"])


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("data.train_bs=many", ("data.train_bs", "'many'", "Integer")),
        ("data.mode=cut", ("data.mode", "'cut'", "'crop'")),
        ("data.size=[3]", ("data.size", "[3]")),
        ("data=3", ("data", "3")),
        ("factors.a=big", ("factors.a", "'big'")),
    ],
)
def test_bad_type_is_one_line_with_key_and_value(override: str, parts: tuple[str, ...]) -> None:
    with pytest.raises(ValueError) as caught:
        load_config(Config, overrides=[override])
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_checks_of_the_dataclass_run() -> None:
    with pytest.raises(ValueError, match=r"data.train_bs must be >= 1, got 0"):
        load_config(Config, overrides=["data.train_bs=0"])


def test_required_key_without_value_is_named() -> None:
    with pytest.raises(ValueError, match="path is required"):
        load_config(WithRequired)
    assert load_config(WithRequired, overrides=["path=x"]) == WithRequired(path="x")


@pytest.mark.parametrize("override", ["data.train_bs", "--data.train_bs=2", "=3"])
def test_override_of_another_form_is_refused(override: str) -> None:
    with pytest.raises(ValueError, match=r"section\.key=value"):
        load_config(Config, overrides=[override])


def test_missing_broken_and_listlike_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"absent\.yaml"):
        load_config(Config, tmp_path / "absent.yaml")
    for text, message in [("data: [1\n", "not valid YAML"), ("[1, 2]\n", "key: value")]:
        with pytest.raises(ValueError, match=message) as caught:
            load_config(Config, written(tmp_path, text))
        assert "\n" not in str(caught.value)


def test_yaml_text_loads_back_to_an_equal_object(tmp_path: Path) -> None:
    config = load_config(Config, overrides=["data.widths=[7]", "steps=[{name: y}]", "factors.a=2"])
    assert load_config(Config, written(tmp_path, to_yaml(config))) == config
