"""What the distillation can be told (stage 4): whose predictions are learned, and for how many steps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from talkvid.training.config_checks import among

DISTILLATION = 4
"""The stage that distils."""
NOISE_LEVELS = 1000
"""Those of the schedule; its module is not imported here, settings are read without torch."""
TEACHER_PRECISIONS = ("auto", "fp32", "fp16", "bf16")


@dataclass(frozen=True)
class DistilConfig:
    """Guidance distillation (arXiv 2210.03142), then progressive distillation (arXiv 2202.00512).

    What is learned one after the other, the rounds, takes equal parts of run.max_steps.
    """

    teacher: str | None = None
    """Folder or hub id of the guided teacher; empty: what the student starts from."""
    guidance_scale: float = 3.5
    """Scale of the teacher's guidance, which becomes part of the student."""
    guidance: bool = True
    """First round: the guided prediction, at all noise levels."""
    student_steps: list[int] = field(default_factory=lambda: [8, 4])
    """Numbers of sampling steps, a round each, every one the teacher of the next; empty: guidance alone."""
    teacher_steps: int = 16
    """Sampling steps of the teacher that the first of these rounds imitates."""
    teacher_precision: str = "auto"
    """Number type of the teacher's weights; auto is that of run.precision."""

    def __post_init__(self) -> None:
        among("distil.teacher_precision", self.teacher_precision, TEACHER_PRECISIONS)
        if not 1 <= self.guidance_scale <= 100:
            raise ValueError(f"distil.guidance_scale must be from 1 to 100, got {self.guidance_scale}")
        if self.guidance and self.guidance_scale == 1:
            raise ValueError("distil.guidance_scale=1 is no guidance to learn: set distil.guidance=false")
        if not self.guidance and not self.student_steps:
            raise ValueError("distil.guidance=false and distil.student_steps=[] leave nothing to learn")
        for count in self.student_steps:
            if not 1 <= count < NOISE_LEVELS or NOISE_LEVELS % count:
                raise ValueError(
                    f"distil.student_steps: {NOISE_LEVELS} noise levels do not divide into {count} "
                    "equal steps; use numbers such as 20, 10, 8, 5, 4, 2, 1"
                )
        if not self.student_steps:
            return
        for more, fewer in pairwise([self.teacher_steps, *self.student_steps]):
            if fewer >= more or more % fewer or more > NOISE_LEVELS:
                raise ValueError(
                    f"distil.teacher_steps={self.teacher_steps}, distil.student_steps={self.student_steps}: "
                    f"one step of {fewer} must be several whole steps of {more}"
                )

    @property
    def num_rounds(self) -> int:
        """Return how many things are learned one after the other."""
        return int(self.guidance) + len(self.student_steps)


def check_distillation(
    distil: DistilConfig, *, max_steps: int, must_be: Mapping[str, tuple[object, object]]
) -> None:
    """Raise ValueError for other settings of a run that a distillation cannot have.

    `must_be` names settings with what they are and what they must be: the student is to be like the teacher
    under all its conditions, and is never guided itself.
    """
    if max_steps < distil.num_rounds:
        raise ValueError(f"run.max_steps={max_steps} cannot hold {distil.num_rounds} rounds of distillation")
    for key, (found, wanted) in must_be.items():
        if found != wanted:
            raise ValueError(
                f"{key}={found}: a student in stage {DISTILLATION} sees what the teacher sees and needs no "
                f"guidance; set it to {wanted}"
            )
