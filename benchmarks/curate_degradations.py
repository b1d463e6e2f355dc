"""Copies of clips that are spoilt on purpose: blur, compression, noise; shake, hidden cut, freeze."""

from dataclasses import dataclass
from pathlib import Path

from talkvid.files import atomic_path
from talkvid.media import ffmpeg
from talkvid.media.video import probe

START_S = 1.0
"""Where in a clip its copies begin."""


@dataclass(frozen=True)
class Degradation:
    """How a copy is spoilt: an ffmpeg filter (W and H stand for the clip's size), and how it is encoded."""

    filter: str = ""
    crf: int = 18
    strong: bool = True
    """Whether the copies must be turned down; the others are only looked at."""
    mild: bool = False
    """Made and shown only with `--mild`."""
    part: str = ""
    """Part of the quality score that is fitted on it."""
    seconds: float = 1.0
    second_clip: bool = False
    """The filter gets another person's clip as its second input."""


SHAKE = "crop=W*0.86:H*0.86:'W*0.07*(1+sin(n*2.4))':'H*0.07*(1+cos(n*1.9))',scale=W:H,setsar=1"
CUT = (
    "[0:v]trim=0:1.7,setpts=PTS-STARTPTS,fps=25,setsar=1[a];"
    "[1:v]trim=0:2,setpts=PTS-STARTPTS,fps=25,scale=W:H,setsar=1[b];[a][b]concat"
)
DEGRADATIONS = {
    "quality": {
        "encoded again": Degradation(strong=False),
        "blur 2 px": Degradation("gblur=sigma=2", strong=False, mild=True),
        "blur 5 px": Degradation("gblur=sigma=5", part="sharpness"),
        "shrunk to 1/2": Degradation(
            "scale=W/2:-2:flags=area,scale=W:H:flags=bicubic", strong=False, mild=True
        ),
        "shrunk to 1/4": Degradation("scale=W/4:-2:flags=area,scale=W:H:flags=bicubic", part="sharpness"),
        "crf 34": Degradation(crf=34, strong=False),
        "crf 42": Degradation(crf=42, part="compression"),
        "noise 12": Degradation("noise=alls=12:allf=t", strong=False, mild=True),
        "noise 40": Degradation("noise=alls=40:allf=t", part="noise"),
    },
    "motion": {
        "encoded again": Degradation(strong=False, seconds=3.6),
        "shake": Degradation(SHAKE, seconds=3.6),
        "hidden cut": Degradation(CUT, seconds=3.6, second_clip=True),
        "freeze": Degradation("loop=loop=-1:size=1:start=0", seconds=3.6),
    },
}
"""Stage -> name of the copies -> how they are made."""


def degraded(source: Path, other: Path, kind: str, change: Degradation, *, folder: Path) -> Path:
    """Return the copy of `source`, made unless it is there."""
    target = folder / f"{source.parent.name}__{source.stem}__{kind.replace(' ', '_').replace('/', '-')}.mp4"
    if target.exists():
        return target
    info = probe(source)
    recipe = change.filter.replace("W", str(info.width)).replace("H", str(info.height))
    begin = ["-ss", f"{START_S}", "-t", f"{change.seconds}"]
    inputs = [*begin, "-i", source, *([*begin, "-i", other] if change.second_clip else [])]
    flag = "-filter_complex" if change.second_clip else "-vf"
    with atomic_path(target) as temporary:
        ffmpeg.run(
            *inputs,
            *([flag, recipe] if recipe else []),
            *("-an", "-t", f"{change.seconds}", "-threads", "1", "-c:v", "libx264", "-preset", "veryfast"),
            *("-crf", f"{change.crf}", "-pix_fmt", "yuv420p"),
            temporary,
        )
    return target
