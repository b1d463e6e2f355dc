"""Videos known to be right or wrong, scored beside the others: the truth, and what was done to it.

A number that cannot tell the true video from one with another clip's sound says nothing about lips, however
many digits it has. So every run scores, of each clip once,

    truth                           the true video with its own sound
    truth: shifted sound by 0.6 s   its sound 15 pictures late at 25 fps
    truth: wrong sound              the sound of the next clip
    truth: still frame              its first picture all the time, with its own sound
    NAME: wrong sound               of every system: the made video with the sound of the next clip

Where a clip has no true video the controls are made of the made ones: "NAME: shifted sound by 0.6 s", …

The truth is heard with its own sound, not with the driving one: that may be a dub, another take or a voice
cut out of its music, as long to the sample as the true sound and yet not what these lips said, and the truth
would then be scored as out of step without a word. Only a true video without a sound is heard with the
driving one, if both are equally long.
"""

import filecmp
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from talkvid.evaluation.suite.pair import SHIFTED, STILL, TRUTH, WRONG, Control, Pair
from talkvid.media.audio import duration_s
from talkvid.media.video import probe

logger = logging.getLogger(__name__)

SHIFT_S = 0.6
LENGTH_SLACK = 0.1
"""Share by which a driving sound may be longer or shorter than a silent true video."""


def with_controls(pairs: Sequence[Pair], *, shifts_s: Sequence[float] = (SHIFT_S,)) -> list[Pair]:
    """Return the pairs and after them the controls, row by row: the truth's, then each system's.

    Clips are taken in the order of their names. The wrong sound is that of the next clip with another sound,
    after the last clip the first one's, and the same in every row; a copy under another name is the same
    sound. There is none where all clips have one sound. A clip without any sound is shown still, no more.
    `shifts_s` are seconds above 0 by which the sound is late. ValueError for other shifts, for a system
    called "truth" and for two pairs of one row and clip. Reads what true videos without `audio` state.
    """
    _check(pairs, shifts_s)
    truths = [_truth(shown) for shown in _by_clip(pairs).values()]
    true_clips = {truth.clip for truth in truths if truth is not None}
    wrong = _wrong_sounds(_by_clip(pairs))
    shifted = [Control(SHIFTED, shift_s=float(shift)) for shift in shifts_s]
    of_truth = [Control(TRUTH), *shifted, Control(WRONG), Control(STILL, still=True)]
    made = _treated([truth for truth in truths if truth is not None], of_truth, wrong)
    for system in dict.fromkeys(pair.system for pair in pairs):
        own = sorted((pair for pair in pairs if pair.system == system), key=lambda pair: pair.clip)
        alone = [pair for pair in own if pair.clip not in true_clips]
        made += _treated(alone, shifted, wrong)
        made += _treated(own, [Control(WRONG)], wrong)
        made += _treated(alone, [Control(STILL, still=True)], wrong)
    _check_ids([*pairs, *made])
    return [*pairs, *made]


def has_sound(video: Path) -> bool:
    """Return whether the video states a sound; a file that cannot be read has none, and fails when opened."""
    try:
        return probe(video).has_audio
    except (ValueError, FileNotFoundError):
        return False


def _by_clip(pairs: Iterable[Pair]) -> dict[str, list[Pair]]:
    clips: dict[str, list[Pair]] = {}
    for pair in sorted(pairs, key=lambda pair: pair.clip):
        clips.setdefault(pair.clip, []).append(pair)
    return clips


def _truth(shown: Sequence[Pair]) -> Pair | None:
    """Return the true video of one clip as a pair of its own; None without one."""
    first = next((pair for pair in shown if pair.reference is not None), None)
    if first is None or first.reference is None:
        return None
    others = {pair.reference for pair in shown} - {None, first.reference}
    if others:
        logger.warning(
            "%s: %d true videos; the controls are made of %s", first.clip, len(others) + 1, first.reference
        )
    audio = None if has_sound(first.reference) else _equally_long(first.audio, first.reference)
    return replace(first, system=TRUTH, made=first.reference, audio=audio)


def _equally_long(sound: Path | None, video: Path) -> Path | None:
    if sound is None:
        return None
    try:
        heard_s, shown_s = duration_s(sound), probe(video).duration_s
    except (ValueError, FileNotFoundError):
        return None
    if shown_s is not None and abs(heard_s - shown_s) <= LENGTH_SLACK * shown_s:
        return sound
    return None


def _sound(shown: Sequence[Pair]) -> Path | None:
    """Return a clip's sound: the driving one, else the true video's, else a made video's; None without."""
    driving = [pair.audio for pair in shown if pair.audio is not None]
    videos = [pair.reference for pair in shown if pair.reference is not None] + [pair.made for pair in shown]
    return driving[0] if driving else next((video for video in videos if has_sound(video)), None)


def _wrong_sounds(clips: Mapping[str, Sequence[Pair]]) -> dict[str, Path]:
    """Return by clip the sound of the next clip that has another one."""
    found = {clip: _sound(shown) for clip, shown in clips.items()}
    sounds = [(clip, sound) for clip, sound in found.items() if sound is not None]
    wrong = {}
    for number, (clip, own) in enumerate(sounds):
        following = (sound for _, sound in (*sounds[number + 1 :], *sounds[:number]))
        other = next((sound for sound in following if not _same_file(own, sound)), None)
        if other is not None:
            wrong[clip] = other
    if not wrong:
        logger.warning("no control with a wrong sound: there are no two clips with different sounds")
    return wrong


def _same_file(first: Path, second: Path) -> bool:
    """Return whether both hold the same bytes; the bytes are read only where the sizes are equal."""
    if first.resolve() == second.resolve():
        return True
    return first.is_file() and second.is_file() and filecmp.cmp(first, second, shallow=False)


def _treated(pairs: Sequence[Pair], controls: Sequence[Control], wrong: Mapping[str, Path]) -> list[Pair]:
    """Return, control by control, the pairs that it can be made of."""
    made = []
    for control in controls:
        for pair in pairs:
            if control.name in (TRUTH, STILL):
                made.append(replace(pair, control=control))
            elif not (pair.audio is not None or has_sound(pair.made)):
                continue  # nothing is heard that could be late or wrong
            elif control.name == SHIFTED:
                made.append(replace(pair, control=control))
            elif pair.clip in wrong:
                made.append(replace(pair, control=control, audio=wrong[pair.clip]))
    return made


def _check(pairs: Sequence[Pair], shifts_s: Sequence[float]) -> None:
    assert all(pair.control is None for pair in pairs), "controls are made of pairs that are none"
    for shift in shifts_s:
        if not (math.isfinite(shift) and shift > 0):
            raise ValueError(f"a sound shifted by {shift:g} s is no control; give seconds above 0")
    if any(pair.system == TRUTH for pair in pairs):
        raise ValueError(f'a system cannot be called "{TRUTH}", as the true videos are; give it another name')
    _check_ids(pairs)


def _check_ids(pairs: Sequence[Pair]) -> None:
    seen: set[str] = set()
    for pair in pairs:
        if pair.id in seen:
            raise ValueError(f"{pair.id}: two videos have this name; give systems and shifts different names")
        seen.add(pair.id)
