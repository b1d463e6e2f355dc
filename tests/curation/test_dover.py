"""The DOVER adapter on a model whose output is known: the mean of what it is fed."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from onnx_writer import Dimension, mean_model

from talkvid.curation.dover import METADATA_KEYS, DoverModel, DoverScorer
from talkvid.curation.dover_rescale import dover_scores
from talkvid.curation.dover_views import MEAN, STD
from talkvid.curation.quality import QualityConfig, build_quality_scorer
from talkvid.curation.records import Span
from talkvid.curation.shared_pass import view
from talkvid.media.video_stream import Picture

SPAN = Span("film", "film.mp4", 1, 0, 40, (1, 25), 0, 40, 240, 256, 25.0)
SIZE: tuple[Dimension, ...] = (3, 32, 224, 224)


def model_file(
    folder: Path, aesthetic: Dimension = "clips", technical: Dimension = "runs", **metadata: str
) -> Path:
    path = folder / "dover.onnx"
    entries = {f"talkvid.{key}": value for key, value in metadata.items()}
    inputs = {"aes_view": (aesthetic, *SIZE), "tech_view": (technical, *SIZE)}
    path.write_bytes(mean_model(inputs, metadata=entries))
    return path


def flat_pictures(span: Span, indices: Sequence[int]) -> list[tuple[int, Picture]]:
    """Pictures of one colour each, darker from picture to picture."""
    flat = np.ones((span.height, span.width, 3), np.uint8)
    return [(index, Picture.of(flat * (200 - 3 * index))) for index in indices]


def scores_of(scorer: DoverScorer, span: Span = SPAN) -> dict[str, float]:
    viewing = view(span, {"quality": scorer}, pictures=flat_pictures)
    assert not viewing.faults and not viewing.damage
    return dict(viewing.looks["quality"].finish())


def test_the_scores_are_those_of_the_pictures_with_aesthetic_first(tmp_path: Path) -> None:
    # Once: the first output, aesthetic, was read as technical quality.
    scores = scores_of(DoverScorer(model_file(tmp_path)))
    # 40 pictures: the aesthetic view takes the first 32, the technical one runs of every second picture from
    # 0, 13 and 26 on, which go on at the beginning where the clip ends.
    technical = [(first + 2 * step) % 40 for first in (0, 13, 26) for step in range(32)]
    level = [200 - 3 * np.mean(range(32)), 200 - 3 * np.mean(technical)]
    expected = [float(((mean - MEAN) / STD).mean()) for mean in level]
    assert scores["dover_aesthetic_raw"] == pytest.approx(expected[0], abs=1e-3)
    assert scores["dover_technical_raw"] == pytest.approx(expected[1], abs=1e-3)
    raw = (scores["dover_aesthetic_raw"], scores["dover_technical_raw"])
    assert scores == pytest.approx(dover_scores(*raw))
    assert list(scores) == [
        "dover_aesthetic_raw", "dover_technical_raw", "dover_aesthetic_z", "dover_technical_z", "dover_fused",
        "dover_scores",
    ]  # fmt: skip


def test_a_clip_has_the_same_scores_in_every_run_and_another_clip_other_draws(tmp_path: Path) -> None:
    # Once: an unseeded generator drew the pictures and squares.
    scorer = DoverScorer(model_file(tmp_path), seed=5)
    long = Span("film", "film.mp4", 2, 0, 900, (1, 25), 0, 900, 240, 256, 25.0)
    assert scorer.wanted(long) == scorer.wanted(long)
    other = Span("film", "film.mp4", 3, 900, 1800, (1, 25), 900, 900, 240, 256, 25.0)
    assert scorer.wanted(long) != scorer.wanted(other)
    assert scorer.wanted(long) != DoverScorer(model_file(tmp_path), seed=6).wanted(long)
    assert scores_of(scorer) == scores_of(scorer)


def test_several_clips_go_through_the_network_at_once_where_the_file_allows_it(tmp_path: Path) -> None:
    free, fixed = tmp_path / "free", tmp_path / "fixed"
    free.mkdir()
    fixed.mkdir()
    models = [DoverModel(model_file(free)), DoverModel(model_file(fixed, 2, 6))]
    assert [model.most_clips for model in models] == [None, 2]
    views = []
    for number in range(3):
        span = Span(f"film{number}", "film.mp4", 1, 0, 40, (1, 25), 0, 40, 240, 256, 25.0)
        look = DoverScorer(model_file(tmp_path)).begin(span)
        for index in look.views.wanted:
            look.see(index, np.full((240, 256, 3), 40 * (number + 1), np.uint8))
        views.append(look.views)
    outputs = [model.raw_outputs(views) for model in models]
    assert np.allclose(outputs[0], outputs[1])
    singly = [models[0].raw_outputs([one])[0] for one in views]
    assert np.allclose(outputs[0], singly) and len({round(a, 3) for a, _ in singly}) == 3


def test_a_file_made_for_four_technical_runs_is_refused_with_the_remedy(tmp_path: Path) -> None:
    # Once: the published conversion fixed a technical batch of 4 while 3 runs were fed, an error per clip.
    path = model_file(tmp_path, 1, 4)
    with pytest.raises(ValueError, match=r"technical batch of 4 .* 3 technical runs.*dover_convert"):
        DoverModel(path)


def test_files_that_are_not_dover_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(mean_model({"x": (1, *SIZE), "y": (3, *SIZE)}))
    with pytest.raises(ValueError, match="inputs x, y are not aes_view and tech_view"):
        DoverModel(path)
    path.write_bytes(mean_model({"aes_view": (1, *SIZE), "tech_view": (3, 3, 8, 224, 224)}))
    with pytest.raises(ValueError, match=r"tech_view takes .*8, 224, 224"):
        DoverModel(path)
    path.write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="cannot load this file"):
        DoverModel(path)
    with pytest.raises(FileNotFoundError, match="talkvid models fetch dover"):
        DoverModel(tmp_path / "absent.onnx")


def test_what_the_file_says_of_itself_is_a_closed_list(tmp_path: Path) -> None:
    good = {"model": "dover", "outputs": "aesthetic,technical", "opset": "18"}
    assert DoverModel(model_file(tmp_path, **good)).origin == {"talkvid.opset": "18"}
    with pytest.raises(ValueError, match=r"talkvid\.colour"):
        DoverModel(model_file(tmp_path, colour="red"))
    with pytest.raises(ValueError, match="outputs technical,aesthetic"):
        DoverModel(model_file(tmp_path, model="dover", outputs="technical,aesthetic"))
    assert len(set(METADATA_KEYS)) == 5


def test_the_signature_names_the_network_and_the_seed(tmp_path: Path) -> None:
    path = model_file(tmp_path)
    first, second = DoverScorer(path).signature(), DoverScorer(path, seed=1).signature()
    assert {**first, "seed": 1} == second
    path = model_file(tmp_path, 1, 3)
    assert DoverScorer(path).signature()["model"] != first["model"]


def test_the_settings_choose_the_scorer_and_a_gpu_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    built = build_quality_scorer(QualityConfig(backend="dover", model_path=str(model_file(tmp_path))))
    assert (built.stage, built.backend) == ("quality", "dover")
    runtime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" not in runtime.get_available_providers():
        with pytest.raises(ValueError, match="onnxruntime-gpu"):
            DoverModel(tmp_path / "dover.onnx", device="cuda")
    with pytest.raises(ValueError, match="backend is 'musiq': choose one of embedded, dover"):
        QualityConfig(backend="musiq")
