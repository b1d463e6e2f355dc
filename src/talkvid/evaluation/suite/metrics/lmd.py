"""The forms of LMD and AKD on our yardsticks' points, which are not the field's and are named so."""

import numpy as np

from talkvid.evaluation import keypoint_distance, landmark_distance
from talkvid.evaluation.pairing import aligned
from talkvid.evaluation.suite.entry import Entry, PlainMetric
from talkvid.evaluation.suite.metric import ClipView, Column, Measured, Need
from talkvid.evaluation.suite.metrics.outcome import (
    PAIRING,
    face_notes,
    look_facts,
    outcome,
    require_face,
    true_video,
)
from talkvid.evaluation.suite.weights import MetricSettings
from talkvid.evaluation.tracks import FaceTracks
from talkvid.records import Array

VERSION = 1
NO_SHARED = "no moment shows a face on both sides"
COLUMNS = (
    Column(
        "lmd_form_px",
        "LMD form, 40 lip points (px)",
        "lower",
        "Distance of 40 lip points from the true ones about their own centre, in pixels of the true video; "
        "LMD itself takes 20 of 68 points.",
        2,
    ),
    Column(
        "lmd_form_eyes",
        "LMD form, 40 lip points (of eye distance)",
        "lower",
        "The same over the true face's inter-ocular distance, so that the picture's size does not matter.",
        4,
    ),
    Column(
        "akd_form",
        "AKD form, 45 points (px of 256)",
        "lower",
        "Mean absolute difference of five face points and 40 lip points to the true ones at 256 x 256; AKD "
        "itself takes 68 points of face-alignment.",
        2,
    ),
)


def measure(view: ClipView) -> Measured:
    """Return the distances over the moments that show a face on both sides."""
    true_video(view)
    looks = view.look(), view.reference_look()
    require_face(looks[0].tracks, "made")
    require_face(looks[1].tracks, "true")
    made, truth = aligned(looks[0].tracks, looks[1].tracks)
    lips = landmark_distance.lip_landmark_distance(made.scaled(truth.size), truth)
    points = keypoint_distance.keypoint_distance(
        _points(made),
        _points(truth),
        made_size=made.size,
        truth_size=truth.size,
        backend=view.yardstick_name,
    )
    return outcome(
        {
            "lmd_form_px": lips.pixels,
            "lmd_form_eyes": lips.over_eye_centres,
            "akd_form": points.mean_l1,
        },
        facts={
            **look_facts(view, *looks),
            "version": VERSION,
            "pairing": PAIRING,
            "pictures_compared": lips.num_frames,
            "pictures_measured": lips.num_measured,
            "lmd_name": lips.name,
            "lmd_points": lips.protocol["points"],
            "lmd_size": lips.protocol["size"],
            "lmd_version": lips.protocol["version"],
            "akd_name": points.name,
            "akd_scale": points.protocol["scale"],
            "akd_version": points.protocol["version"],
            "akd_l2": points.mean_l2,
        },
        notes=face_notes(*looks),
        absent=dict.fromkeys(("lmd_form_px", "lmd_form_eyes", "akd_form"), NO_SHARED),
    )


def _points(tracks: FaceTracks) -> Array:
    """Return (F, 45, 2): five points and 40 lip points, NaN where there is no face."""
    points: Array = np.concatenate([tracks.points, tracks.lips[..., :2]], axis=1)
    return points


def build(settings: MetricSettings) -> PlainMetric:
    """Return the metric; nothing can be missing."""
    versions = f"{landmark_distance.VERSION}.{keypoint_distance.VERSION}"
    return PlainMetric(ENTRY, measure, version=VERSION, measures=versions)


ENTRY = Entry(
    name="lmd",
    description="the forms of LMD and AKD on the yardstick's points, not comparable with papers",
    columns=COLUMNS,
    needs=frozenset({Need.REFERENCE}),
    build=build,
)
