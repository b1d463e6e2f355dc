"""SyncNet: five pictures of a mouth and 0.2 s of sound, each as 1024 numbers, near each other when in step.

The network of Chung & Zisserman 2016 ("Out of time: automated lip sync in the wild") in the layout of its
published weights (`syncnet_v2.model`): our own definition, whose tensors bear the names of that file.
"""

import torch
from torch import Tensor, nn

WINDOW_FRAMES = 5
"""Pictures that one lip feature sees."""
WINDOW_ROWS = 20
"""Rows of coefficients that one sound feature sees: 0.2 s."""
ROWS_PER_FRAME = 4
NUM_FEATURES = 1024
PICTURE_SIDE = 224
EMBEDDED = 512


class SyncNet(nn.Module):
    """Both branches; no layer looks beyond one window, so a run of frames is worked on as one picture."""

    def __init__(self) -> None:
        super().__init__()
        self.netcnnaud = nn.Sequential(*_sound_layers())
        self.netfcaud = _head()
        self.netfclip = _head()
        self.netcnnlip = nn.Sequential(*_lip_layers())

    def lip_features(self, frames: Tensor) -> Tensor:
        """Return (F - 4, 1024) of frames (F, 3, 224, 224), blue first, 0 to 255; feature t sees t … t + 4.

        The first layer is the only one that spans frames, so neighbouring windows share their pictures.
        """
        assert frames.shape[1:] == (3, PICTURE_SIDE, PICTURE_SIDE), frames.shape
        hidden = self.netcnnlip(frames.transpose(0, 1)[None])  # 1 512 F-4 1 1
        features: Tensor = self.netfclip(hidden[0, :, :, 0, 0].T)
        return features

    def sound_features(self, windows: Tensor) -> Tensor:
        """Return (B, 1024) of windows (B, 13, 20): coefficients by rows of 10 ms."""
        features: Tensor = self.netfcaud(self.netcnnaud(windows[:, None]).flatten(1))
        return features


def _head() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(EMBEDDED, EMBEDDED),
        nn.BatchNorm1d(EMBEDDED),
        nn.ReLU(inplace=True),
        nn.Linear(EMBEDDED, NUM_FEATURES),
    )


def _sound_layers() -> list[nn.Module]:
    """Return the layers that bring (B, 1, 13, 20) to (B, 512, 1, 1)."""

    def block(
        inputs: int, outputs: int, kernel: tuple[int, int] = (3, 3), padding: int = 1
    ) -> list[nn.Module]:
        layer = nn.Conv2d(inputs, outputs, kernel, padding=padding)
        return [layer, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]

    return [
        *block(1, 64),
        nn.Identity(),  # the published names count a pooling of one cell here
        *block(64, 192),
        nn.MaxPool2d(3, stride=(1, 2)),
        *block(192, 384),
        *block(384, 256),
        *block(256, 256),
        nn.MaxPool2d(3, stride=2),
        *block(256, EMBEDDED, (5, 4), 0),
    ]


def _lip_layers() -> list[nn.Module]:
    """Return the layers that bring (1, 3, F, 224, 224) to (1, 512, F - 4, 1, 1)."""

    def block(
        inputs: int, outputs: int, kernel: int, *, span: int = 1, stride: int = 1, padding: int = 0
    ) -> list[nn.Module]:
        layer = nn.Conv3d(
            inputs, outputs, (span, kernel, kernel), stride=(1, stride, stride), padding=(0, padding, padding)
        )
        return [layer, nn.BatchNorm3d(outputs), nn.ReLU(inplace=True)]

    def pool(padding: int = 0) -> nn.Module:
        return nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, padding, padding))

    return [
        *block(3, 96, 7, span=WINDOW_FRAMES, stride=2),
        pool(),
        *block(96, 256, 5, stride=2, padding=1),
        pool(padding=1),
        *block(256, 256, 3, padding=1),
        *block(256, 256, 3, padding=1),
        *block(256, 256, 3, padding=1),
        pool(),
        *block(256, EMBEDDED, 6),
    ]


@torch.no_grad()
def is_finite(network: nn.Module) -> bool:
    """Return whether every number of the network is finite."""
    return all(bool(torch.isfinite(tensor).all()) for tensor in network.state_dict().values())
