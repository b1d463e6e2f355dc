"""How well cuts are found, to which picture, and what the scan of a video costs beside its decoding.

    python benchmarks/curate_cuts.py found FOLDER...      precision, recall, error in pictures per detector
    python benchmarks/curate_cuts.py cost VIDEO [--rounds 5]   CPU seconds per minute of video, interleaved

`found` looks for videos with a `NAME.cuts.json` beside them (`fps` and `cuts` in seconds) and for those of
LOOKED_AT, whose hard cuts were found by looking at the pictures. A cut within one picture counts as found;
cuts that lie in a fade or dissolve of LOOKED_AT count neither way.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2

from talkvid.curation.cuts import PICTURE_SIDE, CutConfig, CutFinder
from talkvid.curation.scan import ScanConfig, scan_video
from talkvid.curation.sources import VideoSource
from talkvid.curation.speech_spans import sound_rows
from talkvid.media.frame_scan import scan_frames

DETECTORS = {
    "adaptive (default)": CutConfig(),
    "content 27": CutConfig("content"),
    "content 10": CutConfig("content", 10.0),
    "histogram 0.085 (parity)": CutConfig("histogram"),
    "histogram 0.20": CutConfig("histogram", 0.20, bins=128),
    "hash": CutConfig("hash"),
}
LOOKED_AT: dict[str, tuple[list[int], list[tuple[int, int]]]] = {
    "testvideo": ([30, 180], [(205, 235), (320, 365), (388, 425), (535, 565), (655, 700)]),
    "goldeneye-vfr-drop3": ([60, 140], []),
    "issue-134-rotate": ([90, 210], []),
    "short_hamilton_clip": ([20, 82, 211], []),
    "DiBm_b-eV8Q.0": ([68], []),
    "fjSw0PBrtMU.45": ([], []),
    "data-juicer__video4": ([], []),
    "IronMan": ([], []),
    "resources__fades": ([], []),
}
"""Part of a file's name -> its hard cuts, and its fades and dissolves as [first, last] pictures."""


def main() -> None:
    """Run the measurement that the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("found", "cost"))
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    if arguments.what == "found":
        measure_found([path for folder in arguments.paths for path in sorted(folder.rglob("*.mp4"))])
    else:
        for path in arguments.paths:
            measure_cost(path, rounds=arguments.rounds)


def truth_of(path: Path) -> tuple[list[int], list[tuple[int, int]]] | None:
    """Return the known cuts of a video as picture numbers, and its gradual transitions."""
    beside = path.with_suffix(".cuts.json")
    if beside.is_file():
        told = json.loads(beside.read_text())
        return [round(cut * told["fps"]) for cut in told["cuts"]], []
    return next((known for part, known in LOOKED_AT.items() if part in path.name), None)


def measure_found(paths: list[Path]) -> None:
    """Print a table over all videos whose cuts are known."""
    totals = {name: [0, 0, 0] for name in DETECTORS}
    num_videos = num_cuts = 0
    for path in paths:
        known = truth_of(path)
        if known is None:
            continue
        num_videos, num_cuts = num_videos + 1, num_cuts + len(known[0])
        for name, cuts in cuts_by_detector(path).items():
            right = [min(abs(cut - true) for cut in cuts) for true in known[0] if cuts]
            hits = [error for error in right if error <= 1]
            wrong = [cut for cut in cuts if not is_explained(cut, *known)]
            totals[name][0] += len(hits)
            totals[name][1] += len(wrong)
            totals[name][2] = max([totals[name][2], *hits])
            print(f"{path.name[:44]:44} {name:24} {len(hits)} of {len(known[0])}, wrong {wrong}")
    print(f"\n{num_videos} videos, {num_cuts} hard cuts")
    print("| detector | found within 1 picture | largest error | wrong | precision | recall |")
    print("|---|---|---|---|---|---|")
    for name, (found, wrong_count, error) in totals.items():
        precision, recall = found / max(1, found + wrong_count), found / max(1, num_cuts)
        print(f"| {name} | {found} | {error} | {wrong_count} | {precision:.3f} | {recall:.3f} |")


def is_explained(cut: int, cuts: list[int], fades: list[tuple[int, int]]) -> bool:
    """Return whether a found cut is a true one or lies in a gradual transition."""
    return any(abs(cut - true) <= 1 for true in cuts) or any(first <= cut <= last for first, last in fades)


def cuts_by_detector(path: Path) -> dict[str, list[int]]:
    """Return the cuts that every detector finds, after one decode."""
    finders = {name: CutFinder(config) for name, config in DETECTORS.items()}
    with scan_frames(path, longest=PICTURE_SIDE) as scan:
        for frame in scan:
            for finder in finders.values():
                finder.see(frame.picture)
    return {name: [first for first, _ in finder.takes()[1:]] for name, finder in finders.items()}


def measure_cost(path: Path, *, rounds: int) -> None:
    """Print CPU seconds per minute of video for each part of the scan and for PySceneDetect's own ways."""
    steps: dict[str, Callable[[], object]] = {
        "decode alone, one thread": lambda: decode(path),
        "decode and small pictures": lambda: sum(1 for _ in pictures(path)),
        "the same and adaptive": lambda: look(path, CutConfig()),
        "the same and histogram": lambda: look(path, CutConfig("histogram")),
        "sound and voice activity alone": lambda: sound_rows(path),
        "scan_video, default": lambda: scan_video(VideoSource("v", str(path)), ScanConfig()),
        "PySceneDetect, PyAV, adaptive": lambda: library(path, "pyav", "AdaptiveDetector"),
        "PySceneDetect, OpenCV, adaptive": lambda: library(path, "opencv", "AdaptiveDetector"),
        "PySceneDetect, OpenCV, histogram": lambda: library(path, "opencv", "HistogramDetector"),
    }
    facts = scan_video(VideoSource("v", str(path)), ScanConfig()).facts
    if not facts["has_audio"]:
        del steps["sound and voice activity alone"]
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            begin = time.process_time()
            step()
            seconds[name].append(time.process_time() - begin)
    minutes = facts["duration_s"] / 60
    size = f"{facts['width']}x{facts['height']}, {facts['fps']:.4g} fps, {facts['duration_s']:.1f} s"
    base = min(seconds["decode alone, one thread"])
    print(f"\n{path.name}: {size}; least of {rounds} interleaved rounds")
    print("| step | CPU s per minute | times decoding |")
    print("|---|---|---|")
    for name, values in seconds.items():
        print(f"| {name} | {min(values) / minutes:.2f} | {min(values) / base:.2f} |")


def decode(path: Path) -> None:
    """Decode all pictures and use none."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for _ in container.decode(stream):
            pass


def pictures(path: Path) -> Iterator[object]:
    """Yield the small pictures."""
    with scan_frames(path, longest=PICTURE_SIDE) as scan:
        for frame in scan:
            yield frame.picture


def look(path: Path, config: CutConfig) -> int:
    """Return how many takes are found, sound left aside."""
    finder = CutFinder(config)
    with scan_frames(path, longest=PICTURE_SIDE) as scan:
        for frame in scan:
            finder.see(frame.picture)
    return len(finder.takes())


def library(path: Path, backend: str, detector: str) -> int:
    """Return how many takes PySceneDetect finds when it reads the file itself."""
    import scenedetect

    manager = scenedetect.SceneManager()
    manager.add_detector(getattr(scenedetect, detector)())
    manager.detect_scenes(scenedetect.open_video(str(path), backend=backend))
    return len(manager.get_scene_list(start_in_scene=True))


if __name__ == "__main__":
    main()
