"""What a visitor takes home: the video and its settings without a word about the server's folders."""

import json
from pathlib import Path
from typing import Any

from talkvid.files import atomic_path
from talkvid.inference.sidecar import sidecar_path


def settings_file(video: Path) -> Path:
    """Return the settings of a finished video as a JSON file beside it, paths cut down to names."""
    content = json.loads(sidecar_path(video).read_text(encoding="utf-8"))
    target = video.with_name(f"{video.stem}.settings.json")
    with atomic_path(target) as temporary:
        temporary.write_text(json.dumps(names_only(content), indent=2) + "\n", encoding="utf-8")
    return target


def names_only(value: Any) -> Any:
    """Return plain values in which every absolute path is the name of its file."""
    if isinstance(value, dict):
        return {key: names_only(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [names_only(inner) for inner in value]
    if isinstance(value, str) and Path(value).is_absolute():
        return Path(value).name
    return value
