"""Smooth dense warp of a picture that carries landmark points to new places."""

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from talkvid.records import Array

GRID = 49
"""Nodes along each side of the coarse grid on which the displacement is computed."""
STIFFNESS = 3e-4
"""Regularisation of the spline: larger follows the points less closely and folds less."""
ANCHORS_PER_SIDE = 6
TINY = 1e-9


def warp_image(image: Array, source: Array, target: Array, *, stiffness: float = STIFFNESS) -> Array:
    """Return the RGB (H W 3) uint8 image with what lies at `source` points (N 2) carried to `target` points
    (N 2).

    Points are pixels, centres at whole numbers. The border of the picture stays where it is.
    """
    height, width = image.shape[:2]
    field = backward_field(
        torch.as_tensor(np.asarray(source, dtype=np.float32))[None],
        torch.as_tensor(np.asarray(target, dtype=np.float32))[None],
        width,
        height,
        stiffness=stiffness,
    )
    places = _full_size(field, width, height)[0].numpy()
    return cv2.remap(image, places[0], places[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def sample(
    image: Array, places: Array, *, method: int = cv2.INTER_CUBIC, outside: int = cv2.BORDER_REPLICATE
) -> Array:
    """Return (H W …), of the type of `image` (h w …): its colours at `places` (H W 2) float32 px."""
    sampled: Array = cv2.remap(image, places, None, method, borderMode=outside)  # type: ignore[call-overload]
    return sampled


def warp_batch(images: Tensor, source: Tensor, target: Tensor, *, stiffness: float = STIFFNESS) -> Tensor:
    """Return images (B C H W) float with `source` points (B N 2) carried to `target` points (B N 2), in
    pixels.
    """
    height, width = images.shape[-2:]
    field = backward_field(source, target, width, height, stiffness=stiffness)
    places = _full_size(field, width, height)
    span = places.new_tensor([width - 1, height - 1])
    grid = places.permute(0, 2, 3, 1) / span * 2 - 1
    return functional.grid_sample(
        images, grid.to(images.dtype), mode="bilinear", padding_mode="border", align_corners=True
    )


def backward_field(
    source: Tensor, target: Tensor, width: int, height: int, *, stiffness: float = STIFFNESS
) -> Tensor:
    """Return (B 2 GRID GRID): for each node of a grid over the result, how far off in the picture to look, in
    pixels.

    A thin-plate spline (Duchon 1977) through the displacements source - target at the target points (B N 2)
    and zero displacements at anchors along the border; stiffness is its ridge, in units of the squared
    picture side.
    """
    if source.shape != target.shape or source.ndim != 3 or source.shape[-1] != 2:
        raise ValueError(
            "source and target points must both be (B, N, 2), "
            f"got {tuple(source.shape)} and {tuple(target.shape)}"
        )
    side = float(max(width, height))
    anchors = _border(width, height).to(source).expand(source.shape[0], -1, -1)
    centres = torch.cat([target, anchors], dim=1) / side
    shifts = torch.cat([source - target, torch.zeros_like(anchors)], dim=1) / side
    weights, plane = _solve(centres.double(), shifts.double(), stiffness)
    nodes = _nodes(width, height).to(source) / side
    kernel = _thin_plate(_squared_distances(nodes, centres.to(nodes)))
    shift = kernel @ weights.to(nodes) + _affine(nodes) @ plane.to(nodes)
    return (shift * side).transpose(1, 2).reshape(-1, 2, GRID, GRID)


def _solve(centres: Tensor, shifts: Tensor, stiffness: float) -> tuple[Tensor, Tensor]:
    """Return kernel weights (B N 2) and plane (B 3 2) of the regularised spline."""
    count = centres.shape[1]
    kernel = _thin_plate((centres[:, :, None] - centres[:, None]).square().sum(-1))
    kernel = kernel + stiffness * torch.eye(count, dtype=kernel.dtype, device=kernel.device)
    affine = _affine(centres)
    corner = affine.new_zeros(len(centres), 3, 3)
    system = torch.cat([torch.cat([kernel, affine], 2), torch.cat([affine.transpose(1, 2), corner], 2)], 1)
    right = torch.cat([shifts, shifts.new_zeros(len(shifts), 3, 2)], dim=1)
    solution = torch.linalg.solve(system, right)
    return solution[:, :count], solution[:, count:]


def _squared_distances(nodes: Tensor, centres: Tensor) -> Tensor:
    """Return (B G N) squared distances of nodes (G 2) from centres (B N 2)."""
    product = nodes @ centres.transpose(1, 2)
    lengths = nodes.square().sum(-1)[:, None] + centres.square().sum(-1)[:, None]
    return torch.sub(lengths, product, alpha=2).clamp_(min=0)


def _thin_plate(squared: Tensor) -> Tensor:
    return squared * torch.log(squared + TINY)


def _affine(points: Tensor) -> Tensor:
    return torch.cat([torch.ones_like(points[..., :1]), points], dim=-1)


def _nodes(width: int, height: int) -> Tensor:
    """Return (GRID * GRID, 2) node positions in pixels, the outermost on the first and last pixel centres."""
    across, down = torch.linspace(0, width - 1, GRID), torch.linspace(0, height - 1, GRID)
    grid_y, grid_x = torch.meshgrid(down, across, indexing="ij")
    return torch.stack([grid_x, grid_y], dim=-1).reshape(-1, 2)


def _border(width: int, height: int) -> Tensor:
    """Return (4 (n - 1), 2) anchors along the border of the picture."""
    steps = torch.linspace(0, 1, ANCHORS_PER_SIDE)[:-1]
    zero, one = torch.zeros_like(steps), torch.ones_like(steps)
    ring = [(steps, zero), (one, steps), (1 - steps, one), (zero, 1 - steps)]
    corners = torch.cat([torch.stack(pair, dim=-1) for pair in ring])
    return corners * torch.tensor([width - 1, height - 1])


def _full_size(field: Tensor, width: int, height: int) -> Tensor:
    """Return (B 2 H W): where in the picture each pixel of the result comes from."""
    shift = functional.interpolate(field, size=(height, width), mode="bilinear", align_corners=True)
    across = torch.arange(width, dtype=shift.dtype, device=shift.device)
    down = torch.arange(height, dtype=shift.dtype, device=shift.device)
    return shift + torch.stack([across.expand(height, width), down[:, None].expand(height, width)])
