"""The quality stage: how good the picture is, by DOVER or by the embedded classical measure."""

from dataclasses import dataclass

from talkvid import plugins
from talkvid.curation.own import plugged_in
from talkvid.curation.scorer import Scorer

BACKENDS = ("embedded", "dover")


@dataclass(frozen=True)
class QualityConfig:
    """How picture quality is scored; the threshold belongs to the profile."""

    backend: str = "embedded"
    """`embedded`: the classical measure, which needs nothing. `dover`: the DOVER network as an ONNX file. Or
    the name of a plug-in's scorer."""
    looks_per_s: float = 1.0
    """Embedded: pictures measured per second of a clip."""
    model_path: str = "model_ckpts/dover/dover.onnx"
    """DOVER: the file that `python -m talkvid.curation.dover_convert` writes."""
    device: str = "cpu"
    """DOVER: `cpu`, or `cuda` with onnxruntime-gpu."""
    num_threads: int = 1
    """DOVER on the CPU: threads of one worker."""
    seed: int = 0
    """DOVER: which pictures and fragments are drawn; each clip's own draw follows from this and its id."""

    def __post_init__(self) -> None:
        choices = plugins.choices("quality_scorer", BACKENDS)
        if self.backend not in choices:
            raise ValueError(f"quality.backend is {self.backend!r}: choose one of {', '.join(choices)}")
        if self.device not in ("cpu", "cuda"):
            raise ValueError(f"quality.device is {self.device!r}: choose cpu or cuda")
        if not 0 < self.looks_per_s <= 60:
            raise ValueError(f"quality.looks_per_s must lie above 0 and up to 60, got {self.looks_per_s}")
        if self.num_threads < 1:
            raise ValueError(f"quality.num_threads must be at least 1, got {self.num_threads}")


def build_quality_scorer(config: QualityConfig) -> Scorer:
    """Return the quality stage's scorer.

    FileNotFoundError, ValueError or ImportError when DOVER's model or onnxruntime is missing or unfit.
    """
    if plugins.has("quality_scorer", config.backend):
        return plugged_in("quality_scorer", config.backend, stage="quality")
    if config.backend == "dover":
        from talkvid.curation.dover import DoverScorer

        return DoverScorer(
            config.model_path, device=config.device, num_threads=config.num_threads, seed=config.seed
        )
    from talkvid.curation.classical import ClassicalScorer

    return ClassicalScorer(looks_per_s=config.looks_per_s)
