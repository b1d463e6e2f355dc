"""Our model as what makes a bench's videos: loaded once per worker, told by flags of `talkvid generate`."""

import argparse
import hashlib
import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from talkvid import __version__
from talkvid.cli import generate
from talkvid.evaluation.bench.clips import BenchClip
from talkvid.evaluation.bench.generate import Generate
from talkvid.inference.settings import GenerateSettings, LoadOptions

OF_EACH_CLIP = (
    "reference_image_path",
    "portrait",
    "audio_path",
    "audio",
    "output_path",
    "output",
    "kps_path",
)
"""Flags of `talkvid generate` that a bench sets itself."""
WITHOUT_EFFECT = ("device", "gpu_id", "save_gpu_memory")
"""Options that change where and how fast a video is made, and not which."""


@dataclass(frozen=True)
class ModelSetup:
    """A model, and how it makes every video."""

    options: LoadOptions
    settings: GenerateSettings
    use_keypoints: bool = True
    """Whether a clip's key points move the head."""

    def signature(self) -> str:
        """Return a hash of all that a video depends on besides its clip: weights, options and settings.

        FileNotFoundError or ValueError when the checkpoint is not there or not whole.
        """
        from talkvid.inference.api import TalkVidInference

        checkpoint = TalkVidInference.from_options(self.options).checkpoint
        options = {key: value for key, value in asdict(self.options).items() if key not in WITHOUT_EFFECT}
        weights = {name: _state(path) for name, path in sorted(checkpoint.files.items())}
        told = [__version__, options, asdict(self.settings), self.use_keypoints, weights]
        told += [asdict(checkpoint.config), checkpoint.speech_encoder]
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:16]


def model_setup(checkpoint_path: str | None, flags: str, *, use_keypoints: bool) -> ModelSetup:
    """Return the model and settings that `--checkpoint_path` and the flags of `talkvid generate` say.

    ValueError for flags that a bench sets itself; a misspelled flag ends the command, as it does there.
    """
    words = shlex.split(flags)
    given = [word.lstrip("-").partition("=")[0] for word in words if word.startswith("--")]
    own = next((name for name in given if name in OF_EACH_CLIP), None)
    if own is not None:
        raise ValueError(f"--generate_flags: --{own} is another for every clip; leave it out")
    parser = _Parser(prog="talkvid generate", add_help=False, allow_abbrev=False)
    generate.add_arguments(parser)
    args = vars(parser.parse_args(["--portrait", "-", "--audio", "-", *words]))
    if checkpoint_path is not None:
        args["checkpoint_path"] = checkpoint_path
    values = {name: value for name, value in args.items() if value not in (None, "")}
    return ModelSetup(
        LoadOptions(**_known(LoadOptions, values)),
        GenerateSettings(**_known(GenerateSettings, values)),
        use_keypoints,
    )


def load_generator(setup: ModelSetup, *, single_thread: bool = False) -> Generate:
    """Return what makes the video of a clip; its weights are read for the first one, and kept."""
    if single_thread:
        import cv2
        import torch

        cv2.setNumThreads(1)
        torch.set_num_threads(1)
    from talkvid.inference.api import TalkVidInference

    model = TalkVidInference.from_options(setup.options)

    def make(clip: BenchClip, target: Path) -> None:
        settings = setup.settings
        if setup.use_keypoints and clip.keypoints is not None:
            settings = replace(settings, kps_path=clip.keypoints)
        assert clip.portrait is not None, clip.id
        model.generate_with(
            settings, reference_image=clip.portrait, audio_file=clip.sound, output_path=target
        )

    return make


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is an error that names the flag it belongs to."""

    def error(self, message: str) -> Any:
        raise ValueError(f"--generate_flags: {message}; see talkvid generate --help")


def _known(schema: Any, values: dict[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(schema)}
    return {name: value for name, value in values.items() if name in names}


def _state(path: Path) -> Sequence[Any]:
    """Return what tells whether weights were changed: size and time of a file, or of all in a folder."""
    files = [path] if path.is_file() else sorted(inner for inner in path.rglob("*") if inner.is_file())
    return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
