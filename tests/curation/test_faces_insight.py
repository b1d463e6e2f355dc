from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from export_material import numbered_video, row_of, span_of

from talkvid.curation.faces_insight import FaceModels, age_and_gender, age_group, identity_vector
from talkvid.curation.look import MOMENTS
from talkvid.curation.manifest import ClipRow
from talkvid.records import Array


class FakeAnalysis:
    """Stands for insightface's FaceAnalysis: hands out prepared faces and notes the colours it is shown."""

    def __init__(self, faces: list[list[Any]]) -> None:
        self.faces = list(faces)
        self.first_pixels: list[list[int]] = []

    def get(self, picture: Array) -> list[Any]:
        self.first_pixels.append(picture[48, 20].tolist())
        return self.faces.pop(0)


def face(*, age: int = 30, sex: str = "F", vector: tuple[float, ...] = (1.0, 0.0)) -> Any:
    return SimpleNamespace(age=age, sex=sex, normed_embedding=np.array(vector))


def models(faces: list[list[Any]]) -> FaceModels:
    return FaceModels(FakeAnalysis(faces), "insightface buffalo_l", "2.1")


@pytest.fixture(scope="module")
def row(tmp_path_factory: pytest.TempPathFactory) -> ClipRow:
    """Return a clip of numbered pictures."""
    path = numbered_video(tmp_path_factory.mktemp("video") / "v.mp4", count=50, sound=False)
    return row_of(span_of(path, 5, 40))


def test_age_and_gender_are_median_and_majority_of_pictures_with_one_face(row: ClipRow) -> None:
    faces = [[face(age=age, sex=sex)] for age, sex in ((33, "M"), (34, "M"), (90, "F"), (35, "M"), (36, "M"))]
    crowd = [[face(age=5), face(age=6)], [], [face(age=35, sex="M")]]
    assert len(faces) + len(crowd) == len(MOMENTS)
    fields = age_and_gender(row, models([*faces, *crowd]))
    assert (fields["age_group"]["value"], fields["age_group"]["age"]) == ("31-45", 35.0)
    assert fields["age_group"]["pictures"] == 6
    assert (fields["gender"]["value"], fields["gender"]["share"]) == ("Male", 0.833)
    assert fields["gender"]["by"] == "insightface buffalo_l"


def test_too_few_pictures_with_one_face_give_no_field(row: ClipRow) -> None:
    assert age_and_gender(row, models([[face()], *([] for _ in range(7))])) == {}
    assert identity_vector(row, models([[face()], *([face(), face()] for _ in range(7))])) is None


def test_the_identity_vector_is_the_mean_of_unit_length(row: ClipRow) -> None:
    faces = [[face(vector=(1.0, 0.0))], [face(vector=(0.0, 1.0))], *([] for _ in range(6))]
    vector = identity_vector(row, models(faces))
    assert vector == pytest.approx([2**-0.5, 2**-0.5], abs=1e-6)


def test_insightface_is_shown_blue_first_as_it_expects(row: ClipRow) -> None:
    analysis = models([[] for _ in MOMENTS])
    age_and_gender(row, analysis)
    blue, _, red = analysis.analysis.first_pixels[0]
    assert red > 150 > blue


@pytest.mark.parametrize(
    ("age", "group"), [(0, "0-18"), (18.5, "0-18"), (19, "19-30"), (46, "46-60"), (99, "60+")]
)
def test_ages_fall_into_the_published_groups(age: float, group: str) -> None:
    assert age_group(age) == group


def test_missing_models_are_named(tmp_path: Path) -> None:
    from talkvid.curation.faces_insight import load_face_models

    with pytest.raises(FileNotFoundError, match="insightface models not found in"):
        load_face_models(str(tmp_path), modules=("genderage",))
