"""The page on benches cannot rot: its flags and the folders it names are those of the code."""

import argparse
import re
from pathlib import Path

from talkvid.cli import evaluate, generate, study
from talkvid.evaluation.bench.bench_files import FOLDERS, SUFFIXES

PAGE = (Path(__file__).parents[3] / "docs" / "bench.md").read_text(encoding="utf-8")


def test_every_flag_of_the_page_exists() -> None:
    known: set[str] = set()
    for verb in (evaluate, generate, study):
        parser = argparse.ArgumentParser()
        verb.add_arguments(parser)
        known |= set(re.findall(r"--[a-z_]+", parser.format_help()))
    named = set(re.findall(r"(?<![\w#-])--[a-z][a-z_]+", PAGE))
    assert {"--bench", "--outputs", "--generate_flags"} <= named <= known, named - known


def test_every_folder_and_kind_of_file_of_the_page_is_read() -> None:
    table = [line for line in PAGE.splitlines() if line.startswith("| `")][:4]
    for line, kind in zip(table, ("portrait", "audio", "keypoints", "reference"), strict=True):
        folders = re.findall(r"`(\w+)`", line.split("|")[1])
        assert folders and set(folders) <= set(FOLDERS[kind])
    assert set(re.findall(r"\b(png|jpg|webp|bmp)\b", table[0])) == {
        suffix[1:] for suffix in SUFFIXES["portrait"] if suffix != ".jpeg"
    }
    assert set(re.findall(r"\b(wav|mp3|m4a|flac|aac|ogg|opus)\b", table[1])) <= {
        suffix[1:] for suffix in SUFFIXES["audio"]
    }
