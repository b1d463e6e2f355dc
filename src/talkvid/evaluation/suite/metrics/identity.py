"""Is it still the same person? CSIM with ArcFace alone, another network's cosine under its own name."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from talkvid.evaluation import keypoint_distance
from talkvid.evaluation.identity import FaceEmbedder, identity_agreement
from talkvid.evaluation.pairing import partners
from talkvid.evaluation.sharpness import EVERY
from talkvid.evaluation.suite.entry import Entry, PlainMetric
from talkvid.evaluation.suite.metric import ClipView, Column, Measured, Need
from talkvid.evaluation.suite.metrics.outcome import (
    face_notes,
    look_facts,
    outcome,
    portrait_origin,
    require_face,
)
from talkvid.evaluation.suite.weights import MetricSettings, NotAtHand
from talkvid.evaluation.tracks import FaceTracks
from talkvid.evaluation.weight_files import ARCFACE, file_sha256
from talkvid.media.image import load_image
from talkvid.records import Array

VERSION = 1
CROP = "the face, turned and scaled to 112 px by its five points"


def _columns(key: str, heading: str, network: str) -> tuple[Column, ...]:
    return (
        Column(
            key,
            heading,
            "higher",
            f"Mean cosine of {network} embeddings of the made faces and of the portrait; 1 for equal ones.",
        ),
        Column(f"{key}_lowest", f"{heading}, 5th percentile", "higher", "The cosine that 5 % lie below."),
        Column(
            f"aed_form_{network.lower()}",
            f"AED form ({network})",
            "lower",
            f"Mean distance of {network} embeddings to the true pictures'; AED itself takes OpenFace.",
        ),
    )


CSIM_COLUMNS = _columns("csim", "CSIM (ArcFace)", "ArcFace")
COSINE_COLUMNS = _columns("identity_cosine", "identity cosine (MobileFaceNet)", "MobileFaceNet")


def measure(view: ClipView, *, embedder: FaceEmbedder, sha256: str, columns: tuple[Column, ...]) -> Measured:
    """Return the cosines to the portrait, and the distance to the true video where there is one."""
    made = view.look()
    require_face(made.tracks, "made")
    numbers = range(0, len(made.tracks), EVERY)
    faces = _embedded(view.frames(), made.tracks, numbers, embedder)
    known = [vector for vector in faces if vector is not None]
    if not known:
        raise ValueError(f"no face is found in any of the {len(faces)} pictures looked at, every {EVERY}th")
    found = identity_agreement(np.stack(known), _portrait(view, embedder))
    facts = {
        **look_facts(view, made),
        "version": VERSION,
        "crop": CROP,
        "network": embedder.name,
        "network_sha256": sha256,
        "measured_every": EVERY,
        "measured": len(known),
        "portrait": portrait_origin(view),
    }
    away, more = _from_truth(view, faces, numbers, embedder)
    return outcome(
        {columns[0].key: found.mean, columns[1].key: found.lowest, columns[2].key: away},
        facts={**facts, **more},
        notes=face_notes(made),
        absent={columns[2].key: "no true video, or no moment with a face on both sides"},
    )


def _embedded(
    frames: Iterable[Array], tracks: FaceTracks, numbers: Iterable[int], embedder: FaceEmbedder
) -> list[Array | None]:
    """Return the embedding of each picture in `numbers`, ascending; None where no face was found."""
    wanted = list(numbers)
    seen = {
        number: embedder.embed(frame, tracks.points[number]) if tracks.found[number] else None
        for number, frame in _chosen(frames, set(wanted))
    }
    absent = set(wanted) - set(seen)
    if absent:
        raise ValueError(f"the video ends before picture {min(absent)}, which the yardstick has seen")
    return [seen[number] for number in wanted]


def _chosen(frames: Iterable[Array], wanted: set[int]) -> Iterator[tuple[int, Array]]:
    for number, frame in enumerate(islice(frames, max(wanted) + 1)):
        if number in wanted:
            yield number, frame


def _portrait(view: ClipView, embedder: FaceEmbedder) -> Array:
    """Return the embedding of the portrait or of the picture that stands in for it."""
    tracks = view.portrait_look().tracks
    if not tracks.found[0]:
        raise ValueError(f"no face is found in the portrait, {portrait_origin(view)}")
    if view.pair.portrait is not None:
        picture = load_image(view.pair.portrait)
    else:
        picture = next(iter(view.frames() if view.reference is None else view.reference_frames()))
    return embedder.embed(picture, tracks.points[0])


def _from_truth(
    view: ClipView, faces: list[Array | None], numbers: range, embedder: FaceEmbedder
) -> tuple[float | None, dict[str, str | int | float | bool | None]]:
    """Return the distance to the true video's embeddings and its facts; None without a true video."""
    if view.reference is None:
        return None, {}
    truth = view.reference_look().tracks
    partner = partners(numbers[-1] + 1, len(truth), made_fps=view.made.fps, truth_fps=truth.fps)
    theirs = [int(partner[number]) for number in numbers if number < len(partner)]
    others = _embedded(view.reference_frames(), truth, theirs, embedder)
    found = keypoint_distance.embedding_distance(faces[: len(others)], others, backend=embedder.name)
    return found.mean_l2, {
        "aed_name": found.name,
        "aed_version": found.protocol["version"],
        "aed_pictures": found.num_frames,
        "aed_measured": found.protocol["measured"],
        "aed_true_faceless": found.missing_truth,
    }


def build_csim(settings: MetricSettings) -> PlainMetric:
    """Return the metric with ArcFace; NotAtHand without its file, ImportError without the extra `face`."""
    from talkvid.evaluation.identity import ArcFaceEmbedder

    path = settings.file(settings.arcface, ARCFACE)
    embedder = ArcFaceEmbedder(path)
    columns = CSIM_COLUMNS
    if not ARCFACE.is_published(path):
        columns = tuple(
            replace(column, key=f"{column.key}_other_weights", heading=f"{column.heading}, other weights")
            for column in columns
        )
    return _built(CSIM, embedder, path, columns)


def build_cosine(settings: MetricSettings) -> PlainMetric:
    """Return the metric with MobileFaceNet; NotAtHand when its weights were not given."""
    if settings.mobilefacenet is None:
        raise NotAtHand("weights of MobileFaceNet were not given; nothing fetches them, give their path")
    from talkvid.evaluation.mobilefacenet import MobileFaceNetEmbedder

    path = settings.mobilefacenet
    return _built(COSINE, MobileFaceNetEmbedder(path), path, COSINE_COLUMNS)


def _built(entry: Entry, embedder: FaceEmbedder, path: Path, columns: tuple[Column, ...]) -> PlainMetric:
    sha256 = file_sha256(path)
    return PlainMetric(
        entry,
        partial(measure, embedder=embedder, sha256=sha256, columns=columns),
        version=VERSION,
        columns=columns,
        sha256=sha256,
        distance=keypoint_distance.VERSION,
    )


CSIM = Entry(
    name="csim",
    description="CSIM, the cosine of ArcFace embeddings to the portrait, and the form of AED",
    columns=CSIM_COLUMNS,
    needs=frozenset({Need.PORTRAIT}),
    build=build_csim,
    weights="arcface",
    models=("arcface",),
)
COSINE = Entry(
    name="identity",
    description="the cosine of MobileFaceNet embeddings, which is not CSIM",
    columns=COSINE_COLUMNS,
    needs=frozenset({Need.PORTRAIT}),
    build=build_cosine,
    weights="none fetches them: by path",
    models=("mobilefacenet",),
    in_default=False,
)
