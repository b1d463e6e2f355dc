"""Finished videos and what they are judged against, from folders and files paired by stem."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from talkvid.evaluation.suite.pair import Pair

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".ts", ".flv")
AUDIO_SUFFIXES = (".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".opus")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
MOST_NAMED = 5
"""Files that a message names before it only counts."""


@dataclass(frozen=True)
class Generated:
    """One system's videos: a row of the table."""

    system: str
    path: Path
    """A folder, searched with its subfolders, or one video."""


@dataclass(frozen=True)
class Pairing:
    """The pairs of a run, and the files that found no partner."""

    pairs: tuple[Pair, ...]
    unpaired: tuple[str, ...] = ()
    """One line per side and system, with the numbers."""


def read_generated(text: str) -> Generated:
    """Return `NAME=PATH` or `PATH`, whose own name is then the row's; ValueError for an empty part."""
    name, equals, rest = text.partition("=")
    if not equals or Path(text).exists():
        name, rest = "", text
    elif not (name.strip() and rest):
        raise ValueError(f"--generated {text}: give NAME=PATH, or PATH alone")
    path = Path(rest)
    own = path.resolve().name if path.is_dir() else path.stem
    return Generated(name.strip() or own, path)


def find_pairs(
    generated: Sequence[Generated],
    *,
    reference: Path | None = None,
    audio: Path | None = None,
    portraits: Path | None = None,
    allow_missing: bool = False,
) -> Pairing:
    """Return a pair for every made video.

    Files in folders belong together when their paths below the folder agree but for the suffix. A sound or a
    portrait that is one file serves every video; a true video that is one file the one made video of each
    system, whatever its name. With `allow_missing` made videos without a partner are kept and listed.
    FileNotFoundError or ValueError, with the numbers, for all that does not fit.
    """
    twice = _repeated(one.system for one in generated)
    if twice:
        raise ValueError(f"--generated names '{twice[0]}' twice; give each system a NAME=PATH of its own")
    sides = [
        _Side("--reference", "true video", VIDEO_SUFFIXES, reference),
        _Side("--audio", "sound", (*AUDIO_SUFFIXES, *VIDEO_SUFFIXES), audio),
        _Side("--portraits", "portrait", PICTURE_SUFFIXES, portraits),
    ]
    pairs: list[Pair] = []
    unpaired: list[str] = []
    for one in generated:
        made = _files(one.path, VIDEO_SUFFIXES, flag="--generated")
        partners = [side.partners(made, serves_all=side.flag != "--reference") for side in sides]
        for side, found in zip(sides, partners, strict=True):
            lonely = _lonely(one, side, made, found)
            if lonely and not allow_missing:
                raise ValueError(f"{lonely}; complete {side.flag}, or say --allow_missing to go on without")
            unpaired += [lonely] if lonely else []
            unpaired += side.left_over(one, made)
        name = _name_by_truth(sides[0], made)
        truths, sounds, faces = partners
        pairs += [
            Pair(one.system, name or stem, path, truths.get(stem), sounds.get(stem), faces.get(stem))
            for stem, path in made.items()
        ]
    return Pairing(tuple(pairs), tuple(unpaired))


class _Side:
    """What made videos are paired with: nothing, one file, or a folder of them by stem."""

    def __init__(self, flag: str, what: str, suffixes: Sequence[str], path: Path | None) -> None:
        self.flag, self.what = flag, what
        self.is_file = path is not None and not path.is_dir()
        self.given = path is not None
        self.files = {} if path is None else _files(path, suffixes, flag=flag)

    def partners(self, made: dict[str, Path], *, serves_all: bool) -> dict[str, Path]:
        """Return the partner of each made video that has one, by the made one's stem."""
        if self.is_file and (serves_all or len(made) == 1):
            return dict.fromkeys(made, next(iter(self.files.values())))
        return {stem: self.files[stem] for stem in made if stem in self.files}

    def left_over(self, one: Generated, made: dict[str, Path]) -> list[str]:
        """Return a line on the files of a folder that belong to no made video."""
        left = [] if self.is_file else [stem for stem in self.files if stem not in made]
        if not left:
            return []
        return [
            f"{one.system}: {len(left)} of {len(self.files)} {self.what}s of {self.flag} have no made video: "
            f"{_named(left)}"
        ]


def _lonely(one: Generated, side: _Side, made: dict[str, Path], found: dict[str, Path]) -> str:
    """Return a line on the made videos that have no partner on a side that was given, "" without any."""
    lonely = [stem for stem in made if stem not in found] if side.given else []
    if not lonely:
        return ""
    return f"{one.system}: {len(lonely)} of {len(made)} made videos have no {side.what}: {_named(lonely)}"


def _name_by_truth(reference: _Side, made: dict[str, Path]) -> str:
    """Return the clip's name where one true video is paired whatever the made ones are called."""
    return next(iter(reference.files)) if reference.is_file and len(made) == 1 else ""


def _files(path: Path, suffixes: Sequence[str], *, flag: str) -> dict[str, Path]:
    """Return the files of a folder with one of the suffixes, or the one file, by their stems, sorted.

    Earlier groups of suffixes win: a sound file over a video of the same name.
    """
    if path.is_file():
        return {path.stem: path.absolute()}
    if not path.exists():
        raise FileNotFoundError(f"{flag} {path}: no such file or folder; check the path")
    found: dict[str, list[Path]] = {}
    for file in _visible(path):
        if file.suffix.lower() in suffixes:
            found.setdefault(file.relative_to(path).with_suffix("").as_posix(), []).append(file.absolute())
    if not found:
        raise ValueError(f"{flag} {path}: no file in it ends in {', '.join(suffixes)}; give another folder")
    return {stem: _only(stem, files, flag=flag) for stem, files in found.items()}


def _only(stem: str, files: Sequence[Path], *, flag: str) -> Path:
    sounds = [file for file in files if file.suffix.lower() in AUDIO_SUFFIXES]
    best = sounds or files
    if len(best) > 1:
        names = " and ".join(file.name for file in best)
        raise ValueError(f"{flag} {best[0].parent}: {names} share the stem '{stem}'; keep one of them")
    return best[0]


def _visible(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.is_file():
            yield path


def _repeated(names: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    return [name for name in names if name in seen or seen.add(name)]  # type: ignore[func-returns-value]


def _named(stems: Sequence[str]) -> str:
    more = len(stems) - MOST_NAMED
    return ", ".join(stems[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
