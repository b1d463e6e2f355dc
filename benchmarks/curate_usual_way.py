"""The usual way of curating, to compare with: every step opens the video, or a transcoded scene, again.

Rebuilt from a description of the published pipeline: cuts by an OpenCV decode; every scene transcoded at full
size (x264 medium, without sound), its sound to AAC, its first picture to PNG; then each scorer opens the
scene: quality decodes it, motion decodes it and shrinks every picture, the head stage seeks once per second.
"""

import resource
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from talkvid.curation.records import Span
from talkvid.curation.scorer import LumaLook, Scorer, Unscorable
from talkvid.media import ffmpeg
from talkvid.media.container import open_media, video_stream
from talkvid.media.video_window import FrameTables
from talkvid.records import Array


def usual_way(
    video: Path,
    out: Path,
    scorers: Mapping[str, Scorer],
    seen: Counter[str],
    parts: Counter[str],
) -> None:
    """Cut, transcode every scene and score each from decodes of its own.

    `seen` receives the pictures decoded by step, `parts` the CPU seconds.
    """
    out.mkdir()
    seen.clear()
    begin = cpu_now()
    scenes = find_scenes(video, seen)
    parts["usual: cuts"] += cpu_now() - begin
    for number, (first, stop, fps) in enumerate(scenes, start=1):
        begin = cpu_now()
        clip = transcode(video, out, number, first / fps, (stop - first) / fps)
        seen["transcode"] += stop - first
        parts["usual: transcode"] += cpu_now() - begin
        span = span_of(clip)
        for stage, look in (("quality", by_decode), ("motion", by_decode_and_shrink), ("head", by_seeks)):
            begin = cpu_now()
            see(scorers[stage], span, look(clip, scorers[stage].wanted(span), seen))
            parts[f"usual: {stage}"] += cpu_now() - begin


def find_scenes(video: Path, seen: Counter[str]) -> list[tuple[int, int, float]]:
    """Return (first picture, picture after the last, rate) of every scene, decoding by OpenCV."""
    from scenedetect import AdaptiveDetector, SceneManager, open_video

    opened = open_video(str(video))
    manager = SceneManager()
    manager.add_detector(AdaptiveDetector())
    seen["cuts"] += manager.detect_scenes(opened)
    scenes = manager.get_scene_list(start_in_scene=True)
    return [(start.frame_num, end.frame_num, float(opened.frame_rate)) for start, end in scenes]


def transcode(video: Path, out: Path, number: int, start_s: float, length_s: float) -> Path:
    """Return the scene as a file, beside its sound and its first picture."""
    clip = out / f"scene{number}.mp4"
    begin = ["-ss", f"{start_s:.3f}", "-i", str(video)]
    length = ["-t", f"{length_s:.3f}"]
    encode = ["-an", "-c:v", "libx264", "-preset", "medium", "-threads", "1", str(clip)]
    ffmpeg.run(*begin, *length, *encode)
    ffmpeg.run(*begin, *length, "-vn", "-c:a", "aac", str(clip.with_suffix(".m4a")))
    ffmpeg.run("-i", clip, "-frames:v", "1", clip.with_suffix(".png"))
    return clip


def span_of(clip: Path) -> Span:
    """Return a whole file as a clip."""
    capture = cv2.VideoCapture(str(clip))
    count, fps = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), capture.get(cv2.CAP_PROP_FPS)
    width, height = (int(capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    capture.release()
    return Span(clip.stem, str(clip), 1, 0, count, (1, round(fps)), 0, count, width, height, fps)


def by_decode(clip: Path, wanted: Sequence[int], seen: Counter[str]) -> dict[int, Array]:
    """Return the wanted pictures of a decode from the front, as a reader without an index gives them."""
    return _decoded(clip, wanted, seen, "quality", shrink=False)


def by_decode_and_shrink(clip: Path, wanted: Sequence[int], seen: Counter[str]) -> dict[int, Array]:
    """Return the wanted pictures of a decode in which every picture is shrunk, wanted or not."""
    return _decoded(clip, wanted, seen, "motion", shrink=True)


def _decoded(
    clip: Path, wanted: Sequence[int], seen: Counter[str], stage: str, *, shrink: bool
) -> dict[int, Array]:
    capture, pictures, places = cv2.VideoCapture(str(clip)), {}, set(wanted)
    last = max(wanted) if not shrink else None
    index = 0
    while last is None or index <= last:
        there, picture = capture.read()
        if not there:
            break
        if shrink:
            cv2.resize(picture, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
        if index in places:
            pictures[index] = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        index += 1
    capture.release()
    seen[stage] += index
    return pictures


def by_seeks(clip: Path, wanted: Sequence[int], seen: Counter[str]) -> dict[int, Array]:
    """Return the wanted pictures by a seek to each; a seek decodes from the key frame before."""
    capture, pictures = cv2.VideoCapture(str(clip)), {}
    for index in wanted:
        capture.set(cv2.CAP_PROP_POS_FRAMES, index)
        there, picture = capture.read()
        assert there, (clip, index)
        pictures[index] = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    capture.release()
    with open_media(clip, what="video") as container:
        table = FrameTables().of(container, video_stream(container, str(clip)))
    assert table is not None
    keys = np.searchsorted(table.stamps, table.key_stamps)
    seen["head"] += sum(int(index - keys[keys <= index][-1] + 1) for index in wanted)
    return pictures


def see(scorer: Scorer, span: Span, pictures: Mapping[int, Array]) -> None:
    """Score a clip from pictures that are there already."""
    look = scorer.begin(span)
    for index in scorer.wanted(span):
        if isinstance(look, LumaLook):
            look.see_luma(index, small_luma(pictures[index], look.luma_side))
        else:
            look.see(index, pictures[index])
    try:
        look.finish()
    except Unscorable as error:
        print(f"{span.name}: {error}")


def small_luma(picture: Array, side: int) -> Array:
    """Return an RGB picture as grey with that longer side."""
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)


def cpu_now() -> float:
    """Return the CPU seconds used so far by this process and its finished children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
