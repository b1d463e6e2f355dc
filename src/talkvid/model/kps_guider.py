"""The key-point guider: pictures of key points -> features added to the denoiser's first layer."""

from collections.abc import Sequence
from itertools import pairwise

from einops import rearrange
from torch import Tensor, nn

from talkvid.model.convolution import convolution_silu


class VKpsGuider(nn.Module):
    """Convolutions that halve the picture between each two widths; the last one starts at zero."""

    def __init__(self, out_channels: int = 320, *, block_channels: Sequence[int] = (16, 32, 96, 256)) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(3, block_channels[0], 3, padding=1)
        self.blocks = nn.ModuleList()
        for narrow, wide in pairwise(block_channels):
            self.blocks.append(nn.Conv2d(narrow, narrow, 3, padding=1))
            self.blocks.append(nn.Conv2d(narrow, wide, 3, padding=1, stride=2))
        self.conv_out = nn.Conv2d(block_channels[-1], out_channels, 3, padding=1)
        for parameter in self.conv_out.parameters():
            nn.init.zeros_(parameter)

    def forward(self, kps_images: Tensor) -> Tensor:
        """Return features of the latents' size: (B 3 F H W) in [0, 1] -> (B C F H/8 W/8)."""
        hidden = rearrange(kps_images, "b c f h w -> (b f) c h w")
        for layer in (self.conv_in, *self.blocks):
            assert isinstance(layer, nn.Conv2d)
            hidden = convolution_silu(layer, hidden)
        return rearrange(self.conv_out(hidden), "(b f) c h w -> b c f h w", b=kps_images.shape[0])
