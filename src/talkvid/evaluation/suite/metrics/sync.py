"""LSE-D, LSE-C and the offset of sound and picture by SyncNet."""

from functools import partial
from typing import TYPE_CHECKING

from talkvid import extras
from talkvid.evaluation.frame_rate import at_rate
from talkvid.evaluation.suite.entry import Entry, PlainMetric
from talkvid.evaluation.suite.metric import ClipView, Column, Measured, Need
from talkvid.evaluation.suite.metrics.outcome import outcome, size_of
from talkvid.evaluation.suite.weights import MetricSettings
from talkvid.evaluation.weight_files import SYNCNET

if TYPE_CHECKING:
    from talkvid.evaluation.sync_report import SyncReport
    from talkvid.evaluation.sync_settings import SyncSettings
    from talkvid.evaluation.syncnet import SyncEncoder
    from talkvid.face.detect import FaceDetector

OTHER = " (other weights)"


def columns_for(*, published: bool, protocol: str = "") -> tuple[Column, ...]:
    """Return the columns under the names that the weights have earned; `protocol` belongs to the meaning."""
    of, key = ("", "") if published else (OTHER, "_other_weights")
    told = f" Protocol: {protocol}." if protocol else ""
    return (
        Column(
            f"lse_d{key}",
            f"LSE-D{of}",
            "lower",
            "SyncNet's smallest mean distance of lips and sound over shifts of ±15 frames (also Sync-D)."
            + told,
        ),
        Column(
            f"lse_c{key}",
            f"LSE-C{of}",
            "higher",
            "By how much that distance lies below the median one of all shifts (also Sync-C): how sure."
            + told,
        ),
        Column(
            f"av_offset{key}",
            f"AV offset{of} (frames of 1/25 s)",
            "zero",
            "Shift at which lips and sound are nearest; negative when the sound is late." + told,
            1,
        ),
    )


def measure(
    view: ClipView,
    *,
    encoder: "SyncEncoder",
    settings: "SyncSettings",
    detector: "FaceDetector | None",
    columns: tuple[Column, ...],
) -> Measured:
    """Return the three numbers; the variant over the inside of the clip is told in the facts."""
    from talkvid.evaluation.sync_pictures import sync_of_pictures
    from talkvid.evaluation.sync_settings import FPS
    from talkvid.evaluation.sync_video import sixteen_bits

    report = sync_of_pictures(
        lambda: at_rate(view.frames(), fps=view.made.fps, wanted_fps=FPS),
        sixteen_bits(view.sound(rate=16000)),
        encoder,
        settings=settings,
        detector=detector,
        more_facts={"source_fps": view.made.fps, "source_size": size_of(view.made)},
    )
    numbers = report.numbers()
    inside = {name: number for name, number in numbers.items() if "valid-only" in name}
    outer = [number for name, number in numbers.items() if name not in inside]
    return outcome(
        {column.key: number for column, number in zip(columns, outer, strict=True)},
        facts={**report.facts, **inside},
        notes=_notes(report),
    )


def _notes(report: "SyncReport") -> list[str]:
    surest = max(report.tracks, key=lambda track: track.scores.padded.lse_c)
    notes = []
    if surest.scores.padded.at_edge:
        notes.append("the best shift is the outermost one: the offset is not to be believed")
    if len(report.tracks) > 1:
        notes.append(f"{len(report.tracks)} face tracks, combined as the facts say")
    without = report.facts.get("frames_without_face")
    if without:
        notes.append(f"{without} of {report.facts['frames']} pictures show the detector no face")
    return notes


def build(settings: MetricSettings) -> PlainMetric:
    """Return the metric with the protocol of the settings; NotAtHand, ImportError."""
    path = settings.file(settings.syncnet, SYNCNET)
    from talkvid.evaluation.sync_settings import VERSION, SyncSettings
    from talkvid.evaluation.syncnet import SyncNetEncoder
    from talkvid.evaluation.syncnet_weights import load_syncnet
    from talkvid.face.detect import build_detector

    detector = None
    if settings.sync_protocol == "tracked":
        extras.require("scenedetect", extra="eval")
        detector = build_detector(settings.sync_detector)
    encoder = SyncNetEncoder(load_syncnet(path))
    protocol = "whole frame" if detector is None else f"faces tracked by {detector.name}"
    columns = columns_for(published=encoder.published, protocol=protocol)
    return PlainMetric(
        ENTRY,
        partial(
            measure,
            encoder=encoder,
            settings=SyncSettings(settings.sync_protocol),
            detector=detector,
            columns=columns,
        ),
        version=VERSION,
        columns=columns,
        sha256=encoder.sha256,
        crop=settings.sync_protocol,
        detector="" if detector is None else detector.name,
    )


ENTRY = Entry(
    name="sync",
    description="LSE-D, LSE-C and A/V offset by SyncNet (Chung & Zisserman 2016)",
    columns=columns_for(published=True),
    needs=frozenset({Need.SOUND}),
    build=build,
    hears=True,
    weights="syncnet",
    models=("syncnet", "centerface"),
)
