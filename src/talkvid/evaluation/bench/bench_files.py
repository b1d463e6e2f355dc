"""The files of a bench, paired by name: which portrait, sound, key points and true video make one clip."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

FOLDERS = {
    "portrait": ("imgs", "images", "portraits", "img"),
    "audio": ("audios", "audio", "sounds", "wavs"),
    "keypoints": ("vkps", "kps"),
    "reference": ("videos_crop_512x512", "videos_w_audios", "videos", "reference", "references", "truth"),
}
"""Names of the folder of each kind, the first that is there counts."""
SUFFIXES = {
    "portrait": (".png", ".jpg", ".jpeg", ".webp", ".bmp"),
    "audio": (".wav", ".mp3", ".m4a", ".flac", ".aac", ".ogg", ".opus", ".wma"),
    "keypoints": (".pth", ".pt", ".npy", ".safetensors"),
    "reference": (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v"),
}
Kinds = Mapping[str, Path]
"""Folder by kind."""


@dataclass
class ClipFiles:
    """The files of one name."""

    files: dict[str, list[Path]] = field(default_factory=dict)
    """By kind; more than one is a mistake."""
    folders: tuple[str, ...] = ()
    """Sub-folders it lies in, for groups."""


def kind_folders(folder: Path) -> dict[str, Path]:
    """Return the folder of each kind that is below `folder`, by kind."""
    found = {}
    for kind, names in FOLDERS.items():
        here = next((folder / name for name in names if (folder / name).is_dir()), None)
        if here is not None:
            found[kind] = here
    return found


def pair_files(folders: Kinds) -> tuple[dict[str, ClipFiles], list[tuple[str, Path]]]:
    """Return the clips' files by id, and (kind, file) of those that belong to no clip.

    A clip is a name of a portrait or a sound, or of a true video where one of those kinds has no folder.
    Files belong together whose names without suffix are the same, in whatever sub-folder; a name that occurs
    in several sub-folders means several clips, and then the sub-folder counts too.
    """
    keys = {kind: list(_files(folder, SUFFIXES[kind])) for kind, folder in folders.items()}
    several = _names_in_several_folders(keys)
    clips: dict[str, ClipFiles] = {}
    for kind in _making(folders):
        for parts, _ in keys.get(kind, []):
            name = "__".join(parts) if parts[-1] in several else parts[-1]
            clip = clips.setdefault(name, ClipFiles())
            clip.folders = clip.folders or parts[:-1]
    spare: list[tuple[str, Path]] = []
    for kind, files in keys.items():
        for parts, path in files:
            owners = _owners(parts, clips, several)
            for name in owners:
                clips[name].files.setdefault(kind, []).append(path)
            if not owners:
                spare.append((kind, path))
    return dict(sorted(clips.items())), spare


def _making(folders: Kinds) -> list[str]:
    both = "portrait" in folders and "audio" in folders
    return ["portrait", "audio"] if both else ["portrait", "audio", "reference"]


def _owners(parts: tuple[str, ...], clips: Mapping[str, ClipFiles], several: set[str]) -> list[str]:
    """Return the clips a file belongs to: one, or, for a file outside sub-folders, all of its name."""
    stem = parts[-1]
    if stem not in several:
        return [stem] if stem in clips else []
    whole = "__".join(parts)
    if len(parts) > 1:
        return [whole] if whole in clips else []
    return [name for name in clips if name == stem or name.endswith(f"__{stem}")]


def _names_in_several_folders(keys: Mapping[str, Sequence[tuple[tuple[str, ...], Path]]]) -> set[str]:
    several = set()
    for files in keys.values():
        seen: dict[str, tuple[str, ...]] = {}
        for parts, _ in files:
            if seen.setdefault(parts[-1], parts) != parts:
                several.add(parts[-1])
    return several


def _files(folder: Path, suffixes: Sequence[str]) -> Iterator[tuple[tuple[str, ...], Path]]:
    """Yield (sub-folders and name without suffix, path) of every file of a kind, sorted."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in suffixes and not path.name.startswith(".") and path.is_file():
            yield path.relative_to(folder).with_suffix("").parts, path
