"""The judge of painted mouths: a patch discriminator that sees the lips and their drawing."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from talkvid.face.mouth_window import MOUTH_SIZE

# Rows and columns of the mouth square that the judge looks at: the lips, wherever they part.
ROWS = slice(MOUTH_SIZE // 4, MOUTH_SIZE * 3 // 4)
COLUMNS = slice(MOUTH_SIZE // 6, MOUTH_SIZE * 5 // 6)
# Share of the scores' weight that lies outside the opening.
OUTSIDE = 0.05


@dataclass(frozen=True)
class Verdict:
    """What the judge says of M pictures."""

    scores: list[Tensor]
    """Per scale (M 1 h w): how real each patch looks."""
    features: list[Tensor]
    """What each layer of each scale saw, (M C h w)."""


class MouthJudge(nn.Module):
    """Judges patches of 14 and of 28 px, picture and drawing together."""

    def __init__(self, channels: int = 24) -> None:
        super().__init__()
        self.scales = nn.ModuleList(_Patches(channels) for _ in range(2))

    def forward(self, pictures: Tensor, drawing: Tensor) -> Verdict:
        """Return the verdict on mouth squares (M 3 S S) in [-1, 1] with drawings (M 3 S S) in [0, 1]."""
        seen = torch.cat([pictures, drawing * 2 - 1], dim=1)[..., ROWS, COLUMNS]
        scores, features = [], []
        for scale in self.scales:
            layers = scale(seen)
            scores.append(layers.pop())
            features += layers
            seen = F.avg_pool2d(seen, 2)
        return Verdict(scores, features)


class _Patches(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = (6, channels, 2 * channels, 4 * channels)
        strides = (1, 2, 2)
        self.layers = nn.ModuleList(
            nn.utils.parametrizations.spectral_norm(
                nn.Conv2d(before, width, 2 + stride if stride > 1 else 3, stride=stride, padding=1)
            )
            for before, width, stride in zip(widths, widths[1:], strides, strict=False)
        )
        self.score = nn.Conv2d(widths[-1], 1, 3, padding=1)

    def forward(self, hidden: Tensor) -> list[Tensor]:
        """Return every layer's output, the scores (M 1 h w) last."""
        outputs = []
        for layer in self.layers:
            hidden = F.leaky_relu(layer(hidden), 0.2)
            outputs.append(hidden)
        return [*outputs, self.score(hidden)]


def hinge_loss(on_real: Verdict, on_made: Verdict, opening: Tensor) -> Tensor:
    """Return the judge's own loss; `opening` (M 1 S S) says where it matters."""
    losses = [
        _weighted(F.relu(1 - real) + F.relu(1 + made), opening)
        for real, made in zip(on_real.scores, on_made.scores, strict=True)
    ]
    return torch.stack(losses).mean()


def fooling_loss(on_made: Verdict, opening: Tensor) -> Tensor:
    """Return the generator's adversarial loss: low where its patches look real."""
    return -torch.stack([_weighted(made, opening) for made in on_made.scores]).mean()


def feature_loss(on_real: Verdict, on_made: Verdict, opening: Tensor) -> Tensor:
    """Return how far the judge's features of the made pictures are from those of the real ones."""
    losses = [
        _weighted((real.detach() - made).abs().mean(dim=1, keepdim=True), opening)
        for real, made in zip(on_real.features, on_made.features, strict=True)
    ]
    return torch.stack(losses).mean()


def _weighted(values: Tensor, opening: Tensor) -> Tensor:
    """Return the mean of `values` (M 1 h w) where mouths are open."""
    values = values.float()
    height, width = values.shape[-2:]
    weight = F.adaptive_max_pool2d(opening[..., ROWS, COLUMNS], (height, width))
    weight = weight / weight.mean().clamp(min=OUTSIDE) + OUTSIDE
    return (values * weight).mean()
