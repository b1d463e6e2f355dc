"""What SyncNet says of one video: scores of every face track, their combination, and how they were got."""

from collections.abc import Mapping
from dataclasses import dataclass

from talkvid.evaluation.facts import Facts
from talkvid.evaluation.sync_distance import SyncScores

COMBINATION = "LSE-D and LSE-C: mean over tracks; AV offset: of the track with the highest LSE-C"


@dataclass(frozen=True)
class TrackSync:
    """Scores of one face."""

    first_frame: int
    """At 25 pictures a second."""
    num_frames: int
    num_seen: int
    """Pictures in which a detector saw the face; all where the frame is taken whole."""
    size_px: float
    """Larger side of the face's box, mean; of the frame where it is taken whole."""
    scores: SyncScores


@dataclass(frozen=True)
class SyncReport:
    """Scores of a video; one track where the frame is taken whole."""

    tracks: tuple[TrackSync, ...]
    published_weights: bool
    facts: Facts
    """Crop, detector, rates, counts, versions and hashes."""

    def numbers(self) -> Mapping[str, float]:
        """Return the numbers of the video by name, tracks combined by COMBINATION, each finite.

        "LSE-D", "LSE-C" and "AV offset" only with the published weights; otherwise "… (other weights)". The
        variant over the inside of the clip is named "… valid-only".
        """
        each = [track.scores.numbers(published_weights=self.published_weights) for track in self.tracks]
        surest = max(range(len(each)), key=lambda number: self.tracks[number].scores.padded.lse_c)
        sure_inside = max(range(len(each)), key=lambda number: self.tracks[number].scores.valid_only.lse_c)
        combined: dict[str, float] = {}
        for name in each[0]:
            if name.startswith("AV offset"):
                combined[name] = each[sure_inside if "valid-only" in name else surest][name]
            else:
                combined[name] = sum(numbers[name] for numbers in each) / len(each)
        return combined
