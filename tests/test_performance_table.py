"""The table of GPUs is arithmetic, and every section of RESULTS.md is written by a command."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.memory_count import REFERENCE, LiveBytes, Part, VideoMemory
from benchmarks.performance_table import GPUS, ROOM_GIB, SHARES, frame_tflop, rates, span, training_mode
from benchmarks.results import RESULTS, paragraph, table, write_section
from benchmarks.train_arithmetic import Cost, weight_bytes

ROOT = Path(__file__).resolve().parent.parent
GIB = 2**30
SECTION = re.compile(r"<!-- begin (?P<name>.+?) -->\n.*?<!-- end (?P=name) -->\n", flags=re.DOTALL)


def test_a_frame_bears_its_share_of_the_frames_that_windows_have_in_common() -> None:
    # 24 frames cost 24 x 50, and 20 of them are new: 60 each; decoding comes once per frame.
    assert frame_tflop(50.0, 2.5, window=24, overlap=4) == pytest.approx(62.5)
    assert frame_tflop(50.0, 2.5, window=24, overlap=0) == pytest.approx(52.5)


def test_rates_are_the_assumed_shares_of_the_stated_peak() -> None:
    card = GPUS[2]
    low, high = rates(31.2, card)
    assert (card.name, card.tflops) == ("A100", 312.0)
    assert (low, high) == pytest.approx((10 * SHARES[0], 10 * SHARES[1]))
    assert span((0.246, 10.04)) == "0.25 to 10.0"


def test_a_step_takes_the_first_setting_that_fits_the_card() -> None:
    billion = 10**9
    cost = Cost(
        step_flops=1.0, encode_flops=0.0, kept_bytes=20 * GIB, kept_recomputing=2 * GIB,
        trained=billion, total=billion,
    )  # fmt: skip
    # Weights 2, gradients 2, masters 4, two moments 8 bytes each: 16 GB; offloaded 4 GB.
    assert weight_bytes(cost, gpus=1, eight_bit=False, offload=False) == 16 * billion
    assert weight_bytes(cost, gpus=1, eight_bit=False, offload=True) == 4 * billion
    found = {gpu.memory_gib: training_mode(cost, gpu) for gpu in GPUS}
    plain, offloaded = 16 * billion / GIB, 4 * billion / GIB
    assert found[80] == ("no setting", pytest.approx(plain + 20), 1.0)
    assert found[40] == found[80], "36 GB and the room fit 40"
    assert found[24] == ("`run.gradient_checkpointing=true`", pytest.approx(plain + 2), pytest.approx(4 / 3))
    assert found[12] == ("`run.save_gpu_memory=true`", pytest.approx(offloaded + 2), pytest.approx(4 / 3))
    large = Cost(1.0, 0.0, kept_bytes=200 * GIB, kept_recomputing=100 * GIB, trained=1, total=1)
    assert training_mode(large, GPUS[3])[0] == "" and training_mode(large, GPUS[3])[2] == 0
    assert ROOM_GIB > 0


def test_live_bytes_count_what_is_held_and_no_views() -> None:
    layer = nn.Linear(256, 1024, bias=False).requires_grad_(False)
    given = torch.zeros(64, 256)
    with LiveBytes() as count:
        wide = layer(given)  # 64 x 1024 x 4 bytes
        assert count.now == 262_144
        double = wide.view(32, 2048) + 1
        assert count.now == 2 * 262_144
        del wide
        assert count.now == 262_144, "what nobody holds does not count"
        again = double * 2
    assert count.peak == 2 * 262_144 and again.shape == (32, 2048)


def test_saving_memory_parts_with_the_reference_net_after_its_work() -> None:
    parts = (
        Part("encode", "vae", 1, 3),
        Part("reference", REFERENCE, 20, 2),
        Part("guide", "v_kps_guider", 2, 1),
        Part("denoise", "denoising_unet", 30, 15),
        Part("decode", "vae", 1, 8),
    )
    memory = VideoMemory(parts, reference=4, under_way=7)
    assert memory.plain() == (1 + 20 + 2 + 30) + 4 + 7 + 15
    assert memory.saving() == (1 + 2 + 30) + max(20 + 3, 4 + 15)


def test_a_section_is_put_in_its_place_and_nothing_else_changes(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    path.write_text("# Results\n\nAbout.\n")
    write_section("first", "one", path=path)
    write_section("second", "two", "cpu fp32", path=path)
    before = path.read_text()
    assert [match["name"] for match in SECTION.finditer(before)] == ["one", "two cpu fp32"]
    write_section("first, anew\n", "one", path=path)
    assert path.read_text() == before.replace("first\n", "first, anew\n")


def test_tables_and_paragraphs_are_markdown() -> None:
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
    lines = paragraph("word " * 60, "`python -m benchmarks.results --a-long-flag`").splitlines()
    assert len(lines) > 2 and max(map(len, lines)) <= 118


def test_every_figure_of_the_results_stands_in_a_section_that_names_its_command() -> None:
    text = RESULTS.read_text(encoding="utf-8")
    outside = SECTION.sub("", text)
    assert "|" not in outside and len(outside) < 400, "figures outside the sections"
    for match in SECTION.finditer(text):
        module = ROOT / "benchmarks" / f"{match['name'].split()[0]}.py"
        assert module.is_file() and f"`python -m benchmarks.{module.stem}" in match[0], match["name"]
        assert "write_section(" in module.read_text(encoding="utf-8")


def test_the_table_of_the_documents_is_that_of_the_results() -> None:
    shown = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in shown.splitlines() if line.startswith("| ")][2:]
    results = {
        line.split(",")[0]: line
        for line in RESULTS.read_text(encoding="utf-8").splitlines()
        if " GB | " in line
    }
    assert len(rows) == len(GPUS)
    for row in rows:
        told = results[row[0]]
        assert all(f"| {cell} |" in told for cell in row[2:5]), row
