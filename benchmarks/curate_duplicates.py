"""How well copies of a clip are told from other clips: re-encoded, made small, the next moment, other videos.

    python benchmarks/curate_duplicates.py --media DIR [--clips 12] [--seconds 2.4]

Prints, for each kind of pair, how many are taken for the same, and the two measures that decide.
"""

import argparse
import itertools
import random
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from talkvid.curation.download_clips import row_of_span
from talkvid.curation.duplicates import compare, find_duplicates
from talkvid.curation.look import look_at
from talkvid.curation.manifest import ClipRow
from talkvid.media import ffmpeg
from talkvid.media.video import probe

COPIES = {
    "strongly compressed (crf 40)": ["-crf", "40"],
    "half size, 24 fps, crf 30": ["-vf", "scale=trunc(iw/4)*2:trunc(ih/4)*2", "-crf", "30", "-r", "24"],
}


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--media", type=Path, required=True, help="folder of videos, searched with subfolders"
    )
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=2.4)
    arguments = parser.parse_args()
    length_s = arguments.seconds
    videos = sorted(arguments.media.rglob("*.mp4"))
    random.Random(0).shuffle(videos)
    long_enough = (path for path in videos if (probe(path).duration_s or 0) >= 2 * length_s + 0.2)
    chosen = list(itertools.islice(long_enough, arguments.clips))
    first = [clip(path, f"{n} first", 0.0, length_s) for n, path in enumerate(chosen)]
    following = [clip(path, f"{n} next", length_s, 2 * length_s) for n, path in enumerate(chosen)]
    print(f"{len(chosen)} videos of {arguments.media}, clips of {length_s} s")
    print(f"{'pairs':34} {'same':>8} {'hash bits (min median max)':>28} {'agreement (min median max)':>30}")
    with tempfile.TemporaryDirectory() as folder:
        for name, options in COPIES.items():
            copies = [
                copied(path, Path(folder), number, options, length_s) for number, path in enumerate(chosen)
            ]
            tell(name, list(zip(first, copies, strict=True)))
        tell("next moment of the same video", list(zip(first, following, strict=True)))
        tell("other videos", list(itertools.combinations(first, 2)))


def clip(path: Path, name: str, start_s: float, end_s: float) -> ClipRow:
    """Return the manifest row of a span, with an id of its own."""
    return replace(row_of_span(name, path, start_s, end_s), clip_id=f"{path}/{name}")


def copied(path: Path, folder: Path, number: int, options: Sequence[str], length_s: float) -> ClipRow:
    """Return the row of a copy of a video's beginning."""
    target = folder / f"{number}-{len(list(folder.iterdir()))}.mp4"
    ffmpeg.run("-i", path, "-t", str(length_s + 0.2), "-an", "-preset", "ultrafast", *options, target)
    return clip(target, f"{number} copy", 0.0, length_s)


def tell(name: str, pairs: Sequence[tuple[ClipRow, ClipRow]]) -> None:
    """Print one line of the table."""
    rows = {row.clip_id: row for pair in pairs for row in pair}
    looks = {clip_id: look_at(row) for clip_id, row in rows.items()}
    measures = [compare(looks[one.clip_id], looks[other.clip_id]) for one, other in pairs]
    same = sum(bool(find_duplicates(pair, looks)) for pair in pairs)
    bits, agreements = ([measure[place] for measure in measures] for place in (0, 1))
    told = f"{min(bits):.0f} {statistics.median(bits):.0f} {max(bits):.0f}"
    fits = f"{min(agreements):.2f} {statistics.median(agreements):.2f} {max(agreements):.2f}"
    print(f"{name:34} {same:>3}/{len(pairs):<4} {told:>28} {fits:>30}", flush=True)


if __name__ == "__main__":
    main()
