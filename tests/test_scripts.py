"""The shell scripts are sentences: strict, short, without logic, and clean for shellcheck."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("scripts", "src", "data_pipeline")
SCRIPTS = sorted([*(path for name in FOLDERS for path in (ROOT / name).rglob("*.sh")), ROOT / ".ci" / "run"])
MAX_LINES = 20


def lines_of_code(path: Path) -> list[str]:
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_a_script_is_short_strict_and_hands_its_arguments_on(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES
    assert path.read_text(encoding="utf-8").startswith("#!/usr/bin/env bash\n")
    code = lines_of_code(path)
    assert code[0] == "set -euo pipefail"
    assert code[-1].startswith("exec ") or path.name == "run"
    assert '"$@"' in "\n".join(code)
    assert not [line for line in code if line.split()[0] in ("for", "while", "if", "case", "until")]


def test_shellcheck_finds_nothing() -> None:
    shellcheck = str(Path(sys.executable).parent / "shellcheck")
    result = subprocess.run([shellcheck, *map(str, SCRIPTS)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("name", ["inference", "train", "evaluate", "app", "walkthrough", "test"])
def test_a_script_starts_the_launcher_from_any_folder(name: str, tmp_path: Path) -> None:
    fake = tmp_path / "python"
    fake.write_text('#!/bin/sh\necho "$PWD" "$@"\n')
    fake.chmod(0o755)
    result = subprocess.run(
        ["bash", str(ROOT / "scripts" / f"{name}.sh"), "--flag", "two words"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHON": str(fake)},
        check=True,
    )
    launcher = ROOT / "src" / "talkvid" / "cli" / "launch.py"
    assert result.stdout.strip() == f"{tmp_path} {launcher} {name} --flag two words"
