"""What our settings and doors name as part of the repository is in the repository."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# A path below one of the folders that are kept in the repository; made or fetched things live elsewhere.
NAMED = re.compile(r"(?:test_samples|src/configs|scripts|tests/data|assets)/[\w./-]*\w")
PLACES = ("src/configs", "src/talkvid", "src/data_preprocess", "scripts", "benchmarks")


def tracked() -> set[str]:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this copy of the repository has no history to ask")
    files = set(done.stdout.splitlines())
    return files | {str(parent) for file in files for parent in Path(file).parents}


def test_every_file_that_settings_scripts_and_code_name_is_there() -> None:
    # 5.10: validation asked for test_samples/emo/talk_emotion/aud.mp3, which was not in the repository.
    known = tracked()
    paths = [path for place in PLACES for path in (ROOT / place).rglob("*") if path.is_file()]
    named: dict[str, str] = {}
    for path in paths:
        if path.suffix in (".py", ".yaml", ".json", ".sh", ".md") and "weights" not in path.parts:
            for name in NAMED.findall(path.read_text(encoding="utf-8")):
                named.setdefault(name, str(path.relative_to(ROOT)))
    assert any(name.startswith("test_samples/") for name in named)
    # stage_N.yaml and the like stand for several.
    missing = {n: place for n, place in named.items() if n not in known and "_N." not in n}
    assert missing == {}
