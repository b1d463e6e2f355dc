"""The programs and libraries that decode and encode: ffmpeg, PyAV, OpenCV."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping

from talkvid.cli.checkup.check import JOBS, Check, one_line
from talkvid.cli.checkup.probing import Outcome

TOPIC = "media"
ENCODERS = ("libx264", "aac")
"""What an mp4 of ours is made with."""
OVERRIDE = "IMAGEIO_FFMPEG_EXE"
ANSWER_S = 30.0


def check_programs(probed: Mapping[str, Outcome]) -> Iterator[Check]:
    """Yield the encoder, the decoder and the picture library."""
    yield from check_ffmpeg()
    yield check_pyav(probed)
    yield check_opencv(probed)


def check_ffmpeg() -> Iterator[Check]:
    """Yield which ffmpeg is used, under which licence it was built, and whether it can encode for us."""
    from talkvid.media import ffmpeg

    try:
        program = ffmpeg.executable()
        about, encoders = _answer(program, "-version"), _answer(program, "-encoders")
    except (ImportError, RuntimeError, OSError, subprocess.SubprocessError) as error:
        remedy = (
            f"unset {OVERRIDE}"
            if os.environ.get(OVERRIDE)
            else "pip install --force-reinstall imageio-ffmpeg"
        )
        yield Check(TOPIC, "ffmpeg", "broken", f"does not run: {one_line(error)}", remedy, JOBS)
        return
    version = re.search(r"ffmpeg version (\S+)", about)
    origin = f"${OVERRIDE}" if os.environ.get(OVERRIDE) else "of imageio-ffmpeg"
    told = version.group(1) if version else "unknown version"
    yield Check(TOPIC, "ffmpeg", "ok", f"{told} ({program}, {origin})")
    yield Check(TOPIC, "ffmpeg's licence", "ok", licence(about))
    lacking = [name for name in ENCODERS if not re.search(rf"^\s*[VA]\S*\s+{name}\s", encoders, re.MULTILINE)]
    if lacking:
        remedy = (
            f"unset {OVERRIDE}"
            if os.environ.get(OVERRIDE)
            else "pip install --force-reinstall imageio-ffmpeg"
        )
        detail = f"this ffmpeg lacks {' and '.join(lacking)}"
        yield Check(TOPIC, "encoders", "broken", detail, remedy, JOBS)
    else:
        yield Check(TOPIC, "encoders", "ok", f"{', '.join(ENCODERS)}")


def licence(about: str) -> str:
    """Return the licence that follows from the switches an ffmpeg was built with."""
    if "--enable-nonfree" in about:
        return "built with non-free parts: it must not be passed on"
    three = "--enable-version3" in about
    if "--enable-gpl" in about:
        terms = f"GPL, version {3 if three else 2} or later"
    else:
        terms = f"LGPL, version {'3' if three else '2.1'} or later"
    return f"{terms}; a program of its own, its terms do not reach the videos or this package"


def _answer(program: str, flag: str) -> str:
    command = [program, "-hide_banner", flag] if flag != "-version" else [program, flag]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=ANSWER_S, stdin=subprocess.DEVNULL
    )
    return done.stdout


def check_pyav(probed: Mapping[str, Outcome]) -> Check:
    """Return which decoders PyAV brings; that it is missing stands among the packages."""
    outcome = probed.get("facts:pyav", Outcome("was not asked"))
    if not outcome.works:
        status = "absent" if outcome.is_absent else "broken"
        return Check(TOPIC, "PyAV", status, outcome.error, "pip install --force-reinstall av", JOBS)
    detail = f"libavcodec {outcome.found['libavcodec']}"
    lacking = outcome.found["lacking"]
    if lacking:
        return Check(
            TOPIC, "PyAV", "note", f"{detail}, cannot decode {', '.join(lacking)}", "pip install -U av"
        )
    return Check(TOPIC, "PyAV", "ok", f"{detail}, decodes H.264, HEVC, VP9, AV1, AAC, MP3, Opus")


def check_opencv(probed: Mapping[str, Outcome]) -> Check:
    """Return whether OpenCV loads, which needs two libraries of the system."""
    outcome = probed.get("cv2", Outcome("was not asked"))
    if outcome.works:
        return Check(
            TOPIC, "OpenCV", "ok", f"{outcome.found.get('version', '')}, libGL and libglib are there"
        )
    if ".so" in outcome.error:
        return Check(TOPIC, "OpenCV", "broken", outcome.error, "apt install libgl1 libglib2.0-0", JOBS)
    status = "absent" if outcome.is_absent else "broken"
    return Check(TOPIC, "OpenCV", status, outcome.error, "pip install --force-reinstall opencv-python", JOBS)
