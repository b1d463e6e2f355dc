"""What metrics are built with: where weights lie, which protocol, which device."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from talkvid.evaluation.clip_rule import ClipRule
from talkvid.evaluation.weight_files import PublishedFile

FOLDER = Path("model_ckpts/evaluation")
"""Where `talkvid models fetch` puts the weights of metrics."""
SYNC_PROTOCOLS = ("tracked", "whole_frame")
LPIPS_NETWORKS = ("alex", "vgg")
SSIM_RULES = ("gaussian", "gaussian_mirrored", "uniform")


class NotAtHand(Exception):
    """Raised while a metric is built when something it needs was never fetched; its text says what to do."""


@dataclass(frozen=True)
class MetricSettings:
    """Choices that move numbers, and paths; every one of them is told beside the numbers."""

    weights_dir: Path = FOLDER
    """Weights not given by path are looked for here, under their published names."""
    syncnet: Path | None = None
    inception: Path | None = None
    i3d: Path | None = None
    lpips_trunk: Path | None = None
    lpips_heads: Path | None = None
    arcface: Path | None = None
    """ONNX file of ArcFace, for CSIM."""
    mobilefacenet: Path | None = None
    """Weights of MobileFaceNet, for a cosine that is not CSIM; nothing fetches them."""
    device: str = "cpu"
    """Where Inception, I3D and LPIPS compute."""
    sync_protocol: Literal["tracked", "whole_frame"] = "tracked"
    """Faces found, followed and cropped, or the whole picture stretched, for videos of a cropped face."""
    sync_detector: str = "centerface"
    """Who finds the faces of `tracked`."""
    lpips_network: Literal["alex", "vgg"] = "alex"
    ssim_rule: Literal["gaussian", "gaussian_mirrored", "uniform"] = "gaussian"
    fvd_clips: ClipRule = field(default_factory=ClipRule)
    fvd_fps: float = 25.0
    """The rate at which FVD sees every video, whatever its own."""
    trust_i3d: bool = False
    """Whether an I3D file other than the published one may run; TorchScript is a program."""
    allow_rank_deficient: bool = False
    """Whether FID and FVD are told for fewer samples than their covariance needs."""
    commercial_safe: bool = False
    """Whether metrics are left out whose models do not allow commercial use."""

    def __post_init__(self) -> None:
        for name, value, known in (
            ("sync_protocol", self.sync_protocol, SYNC_PROTOCOLS),
            ("lpips_network", self.lpips_network, LPIPS_NETWORKS),
            ("ssim_rule", self.ssim_rule, SSIM_RULES),
        ):
            if value not in known:
                raise ValueError(f"{name} {value!r} is unknown; choose {' or '.join(known)}")
        if not self.fvd_fps > 0:
            raise ValueError(f"fvd_fps must be above 0, got {self.fvd_fps:g}")
        for part in fields(self):
            value = getattr(self, part.name)
            if part.name != "weights_dir" and isinstance(value, Path) and not value.is_file():
                raise FileNotFoundError(f"{value}: no such file; give the weights for {part.name} or none")

    def file(self, given: Path | None, published: PublishedFile) -> Path:
        """Return the path given, or the published file in `weights_dir`; NotAtHand with how to fetch it."""
        return self.files((given, published))[0]

    def files(self, *wanted: tuple[Path | None, PublishedFile]) -> list[Path]:
        """Return each path given, or the published file in `weights_dir`; NotAtHand naming all that lack."""
        places = [given or self.weights_dir / published.name for given, published in wanted]
        lacking = [
            f"{place} is not there; fetch it with {published.fetch_command}"
            for place, (_, published) in zip(places, wanted, strict=True)
            if not place.is_file()
        ]
        if lacking:
            raise NotAtHand("; ".join(lacking))
        return places
