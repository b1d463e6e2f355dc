"""The judge of painted mouths looks where mouths are open, knows the drawing and learns to tell."""

import torch

from talkvid.face.mouth_window import MOUTH_SIZE
from talkvid.training.mini_mouth_judge import MouthJudge, feature_loss, fooling_loss, hinge_loss


def drawing(num: int) -> torch.Tensor:
    """Return drawings (num 3 S S) of a mouth that is open in a small box left of the middle."""
    planes = torch.zeros(num, 3, MOUTH_SIZE, MOUTH_SIZE)
    planes[:, :2, 44:52, 32:40] = 1.0
    return planes


def mouths(num: int, *, striped: bool) -> torch.Tensor:
    """Return grey mouth squares with some noise, those of real ones with light stripes."""
    pictures = 0.1 * torch.randn(num, 3, MOUTH_SIZE, MOUTH_SIZE)
    if striped:
        pictures[:, :, 44:52, 32:40:2] += 0.6
    return pictures


def test_only_open_mouths_matter_much() -> None:
    torch.manual_seed(0)
    judge, pictures = MouthJudge(8), mouths(2, striped=False).requires_grad_()
    opening = drawing(2)
    (gradient,) = torch.autograd.grad(fooling_loss(judge(pictures, opening), opening[:, 1:2]), pictures)
    near, far = gradient[..., 44:52, 32:40].abs().mean(), gradient[..., 44:52, 66:74].abs().mean()
    assert near > 10 * far > 0
    assert gradient[..., :8, :].abs().max() == 0


def test_the_drawing_is_part_of_the_verdict() -> None:
    torch.manual_seed(0)
    judge, pictures = MouthJudge(8), mouths(1, striped=False)
    open_mouth, shut = judge(pictures, drawing(1)), judge(pictures, torch.zeros_like(drawing(1)))
    assert all(not torch.equal(*pair) for pair in zip(open_mouth.scores, shut.scores, strict=True))


def test_the_judge_learns_to_tell_and_to_be_fooled() -> None:
    torch.manual_seed(0)
    judge, known = MouthJudge(8), drawing(4)
    opening = known[:, 1:2]
    optimizer = torch.optim.AdamW(judge.parameters(), 5e-3)
    first = None
    for _ in range(40):
        on_real, on_made = judge(mouths(4, striped=True), known), judge(mouths(4, striped=False), known)
        loss = hinge_loss(on_real, on_made, opening)
        first = float(loss.detach()) if first is None else first
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert first is not None and float(loss.detach()) < 0.8 * first
    real, made = judge(mouths(4, striped=True), known), judge(mouths(4, striped=False), known)
    assert fooling_loss(real, opening) < fooling_loss(made, opening)
    again = judge(mouths(4, striped=True), known)
    assert feature_loss(real, again, opening) < feature_loss(real, made, opening)
