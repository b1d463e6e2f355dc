"""Identity, age and gender of the face in a clip by insightface (extra `face`): biometric, off unless asked.

Its models are the user's, under their own terms (non-commercial research).
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from talkvid.curation.annotations import field
from talkvid.curation.look import moments_of
from talkvid.curation.manifest import ClipRow
from talkvid.extras import require
from talkvid.face.insightface_backend import DEFAULT_ROOT, locate
from talkvid.media.video import read_at

AGE_GROUPS = ((60, "60+"), (46, "46-60"), (31, "31-45"), (19, "19-30"), (0, "0-18"))
"""Least age -> the group's name in TalkVid's published lists."""
LEAST_LOOKS = 2
BY = "insightface"


@dataclass(frozen=True)
class FaceModels:
    """Loaded networks: detection, and recognition or age and gender."""

    analysis: Any
    by: str
    version: str


def load_face_models(model_path: str, *, modules: tuple[str, ...], device: str = "cpu") -> FaceModels:
    """Return insightface's networks; raise FileNotFoundError or ImportError where something is missing.

    `modules` are insightface's: `recognition`, `genderage`; detection comes along.
    """
    root, pack = locate(Path(model_path) if model_path else DEFAULT_ROOT)
    library = require("insightface.app", extra="face")
    provider = "CUDAExecutionProvider" if device.startswith("cuda") else "CPUExecutionProvider"
    analysis = library.FaceAnalysis(
        name=pack, root=str(root), providers=[provider], allowed_modules=["detection", *modules]
    )
    analysis.prepare(ctx_id=0 if device.startswith("cuda") else -1, det_size=(640, 640))
    lacking = [module for module in modules if module not in analysis.models]
    if lacking:
        raise FileNotFoundError(f"{root}/models/{pack}: the pack has no {lacking[0]} network; take another")
    version = str(getattr(require("insightface", extra="face"), "__version__", ""))
    return FaceModels(analysis, f"{BY} {pack}", version)


def identity_vector(row: ClipRow, models: FaceModels) -> list[float] | None:
    """Return the mean identity vector (D,) of the pictures with one face, None where those are too few."""
    vectors = [np.asarray(face.normed_embedding, np.float64) for face in _single_faces(row, models)]
    if len(vectors) < LEAST_LOOKS:
        return None
    mean = np.mean(vectors, axis=0)
    return [round(float(value), 6) for value in mean / np.linalg.norm(mean)]


def age_and_gender(row: ClipRow, models: FaceModels) -> dict[str, Any]:
    """Return the fields `age_group` and `gender`: median and majority of the pictures with one face."""
    faces = _single_faces(row, models)
    if len(faces) < LEAST_LOOKS:
        return {}
    ages = [float(face.age) for face in faces]
    age = float(np.median(ages))
    votes = Counter("Male" if face.sex == "M" else "Female" for face in faces)
    gender = min(votes, key=lambda name: (-votes[name], name))
    spread = round(float(np.percentile(ages, 90) - np.percentile(ages, 10)), 1)
    return {
        "age_group": field(
            age_group(age), models.by, models.version, age=age, spread=spread, pictures=len(faces)
        ),
        "gender": field(
            gender, models.by, models.version, share=round(votes[gender] / len(faces), 3), pictures=len(faces)
        ),
    }


def age_group(age: float) -> str:
    """Return the group an age falls into."""
    return next(name for least, name in AGE_GROUPS if age >= least)


def _single_faces(row: ClipRow, models: FaceModels) -> list[Any]:
    """Return the face of every looked-at picture that has exactly one."""
    pictures = read_at(row.path, moments_of(row))
    found = [models.analysis.get(np.ascontiguousarray(picture[..., ::-1])) for picture in pictures]
    return [faces[0] for faces in found if len(faces) == 1]
