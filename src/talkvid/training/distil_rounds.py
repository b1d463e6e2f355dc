"""The rounds of a distillation: what is learned from when to when, and from whom."""

from collections.abc import Sequence
from dataclasses import dataclass

from talkvid.training.config_distil import DistilConfig
from talkvid.training.run_folder import ROUNDS_FOLDER

TEACHER_FOLDER = "teacher"
"""Where a run keeps its first teacher, so that a resumed one learns from the same."""


@dataclass(frozen=True)
class Round:
    """One thing that is learned until optimiser step `last_step`, from the model in `teacher`."""

    name: str
    last_step: int
    teacher: str
    """Folder inside the run's."""
    guidance_scale: float
    """Of the teacher; 1 for one that was itself distilled."""
    num_steps: int = 0
    """Sampling steps of the student; 0: it predicts at every noise level."""
    substeps: int = 1
    """Sampling steps of the teacher for one of the student's."""

    @property
    def folder(self) -> str:
        """Return where its student is kept once there is another round, inside the run's folder."""
        return f"{ROUNDS_FOLDER}/{self.name}"

    @property
    def column(self) -> float:
        """Return the number that stands for the round in losses.csv."""
        return float(self.num_steps)


def plan_rounds(distil: DistilConfig, max_steps: int) -> list[Round]:
    """Return the rounds in their order, which share `max_steps` equally."""
    count = distil.num_rounds
    ends = [max_steps * number // count for number in range(1, count + 1)]
    rounds: list[Round] = []
    steps_before = distil.teacher_steps
    if distil.guidance:
        rounds.append(Round("guidance", ends[0], TEACHER_FOLDER, distil.guidance_scale))
    for num_steps in distil.student_steps:
        rounds.append(
            Round(
                f"steps_{num_steps}",
                ends[len(rounds)],
                teacher=rounds[-1].folder if rounds else TEACHER_FOLDER,
                guidance_scale=1.0 if rounds else distil.guidance_scale,
                num_steps=num_steps,
                substeps=steps_before // num_steps,
            )
        )
        steps_before = num_steps
    return rounds


def round_of(rounds: Sequence[Round], step: int) -> Round:
    """Return the round that optimiser step `step`, counted from 1, belongs to; behind the end the last."""
    return next((entry for entry in rounds if step <= entry.last_step), rounds[-1])
