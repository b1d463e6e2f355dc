from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from talkvid.diffusion.noise import frame_noise
from talkvid.diffusion.sampler import guide, num_calls, stream_latents
from talkvid.diffusion.schedule import NoiseSchedule
from talkvid.diffusion.windows import context_windows, plain_order

GOLDEN = Path(__file__).parents[1] / "data" / "parity" / "mean_overlap.safetensors"


def drifting_predictor(latents: Tensor, frames: Sequence[int], step: int) -> Tensor:
    """Mix neighbours in time and depend on place and step, so that a wrong order would show."""
    mixed = latents + latents.mean(dim=2, keepdim=True)
    return torch.tanh(mixed) * (1 + step) + torch.tensor(frames).view(1, 1, -1, 1, 1) / 50


def halfway(prediction: Tensor, latents: Tensor, step: int) -> Tensor:
    return 0.6 * latents + 0.3 * prediction + 0.01 * step


def run(num_frames: int, num_steps: int, size: int, overlap: int, plain: bool) -> list[Tensor]:
    order = plain_order(len(context_windows(num_frames, size, overlap)), num_steps) if plain else None
    stream = stream_latents(
        num_frames,
        num_steps,
        size=size,
        overlap=overlap,
        predict=drifting_predictor,
        update=halfway,
        initial=lambda frame: frame_noise(3, frame, (2, 2, 2)),
        order=order,
    )
    frames, latents = zip(*stream, strict=True)
    assert list(frames) == list(range(num_frames))
    return list(latents)


@pytest.mark.parametrize(("size", "overlap"), [(6, 2), (24, 4), (8, 0), (5, 4), (4, 3), (1, 0)])
@pytest.mark.parametrize("num_frames", [1, 5, 6, 13, 40])
def test_the_diagonal_order_gives_exactly_the_plain_result(size: int, overlap: int, num_frames: int) -> None:
    diagonal = run(num_frames, 5, size, overlap, plain=False)
    plain = run(num_frames, 5, size, overlap, plain=True)
    assert all(torch.equal(left, right) for left, right in zip(diagonal, plain, strict=True))


@pytest.mark.parametrize(("size", "overlap"), [(6, 2), (8, 0), (5, 4), (4, 3), (1, 0)])
@pytest.mark.parametrize("num_steps", [1, 2, 4])
def test_a_start_in_the_middle_gives_the_rest_of_the_whole_bit_for_bit(
    size: int, overlap: int, num_steps: int
) -> None:
    num_frames = 23
    whole = run(num_frames, num_steps, size, overlap, plain=False)
    for first in (0, 1, 7, 12, 22):
        calls: list[tuple[int, int]] = []

        def counted(
            latents: Tensor, frames: Sequence[int], step: int, calls: list[tuple[int, int]] = calls
        ) -> Tensor:
            calls.append((frames[0], step))
            return drifting_predictor(latents, frames, step)

        rest = stream_latents(
            num_frames, num_steps, size=size, overlap=overlap, predict=counted, update=halfway,
            initial=lambda frame: frame_noise(3, frame, (2, 2, 2)), first_frame=first,
        )  # fmt: skip
        frames, latents = zip(*rest, strict=True)
        assert list(frames) == list(range(first, num_frames))
        assert all(torch.equal(left, right) for left, right in zip(latents, whole[first:], strict=True))
        expected = num_calls(num_frames, num_steps, size=size, overlap=overlap, first_frame=first)
        assert len(calls) == len(set(calls)) == expected
        if first == 22 and num_steps < 3 and overlap < size / 2:
            assert expected < num_calls(num_frames, num_steps, size=size, overlap=overlap)


class Together:
    """The drifting predictor for several windows, which remembers how many it was given."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, latents: Tensor, frames: Sequence[int], step: int) -> Tensor:
        return self.together(latents, [frames], [step])

    def together(self, latents: Tensor, frames: Sequence[Sequence[int]], steps: Sequence[int]) -> Tensor:
        self.batches.append(len(frames))
        parts = zip(latents.split(1), frames, steps, strict=True)
        return torch.cat([drifting_predictor(part, of, step) for part, of, step in parts])


@pytest.mark.parametrize(("size", "overlap"), [(6, 2), (8, 0), (5, 4), (4, 3)])
@pytest.mark.parametrize("batch", [2, 3, 50])
@pytest.mark.parametrize(("num_frames", "first"), [(1, 0), (13, 0), (40, 0), (40, 21)])
def test_batches_of_windows_give_exactly_the_plain_result(
    size: int, overlap: int, batch: int, num_frames: int, first: int
) -> None:
    plain, predictor = run(num_frames, 5, size, overlap, plain=True)[first:], Together()
    stream = stream_latents(
        num_frames,
        5,
        size=size,
        overlap=overlap,
        predict=predictor,
        update=halfway,
        initial=lambda frame: frame_noise(3, frame, (2, 2, 2)),
        first_frame=first,
        windows_per_batch=batch,
    )
    frames, latents = zip(*stream, strict=True)
    assert list(frames) == list(range(first, num_frames))
    assert all(torch.equal(left, right) for left, right in zip(latents, plain, strict=True))
    assert max(predictor.batches) <= batch
    assert sum(predictor.batches) == num_calls(num_frames, 5, size=size, overlap=overlap, first_frame=first)
    if num_frames == 40:
        assert max(predictor.batches) > 1


def stored_predictions(golden: dict[str, Tensor], case: str) -> list[Tensor]:
    """Return the six predictions the reference was fed with.

    Without guidance it sums in place, so what was stored afterwards differs from what was fed: the two frames
    a window shares with the one before hold half the prediction, those it shares with the next one the mean.
    """
    stored = [golden[f"{case}/in.prediction/{index}"].clone() for index in range(6)]
    if case == "cfg":
        return stored
    fed = [prediction.clone() for prediction in stored]
    for index in range(6):
        window = index % 3
        if window > 0:
            fed[index][:, :, :2] *= 2
        if window < 2:
            fed[index][:, :, 4:] = 2 * (stored[index][:, :, 4:] - stored[index + 1][:, :, :2])
    return fed


@pytest.mark.parametrize("case", ["cfg", "nocfg"])
def test_mean_overlap_equals_the_golden_latents_after_each_step(case: str) -> None:
    golden = load_file(GOLDEN)
    schedule = NoiseSchedule()
    timesteps = schedule.timesteps(2)
    assert [int(timestep) for timestep in timesteps] == [999, 499]
    initial = golden[f"{case}/in.latents_init"][0]
    predictions = stored_predictions(golden, case)
    after_first: dict[int, Tensor] = {}

    def predict(latents: Tensor, frames: Sequence[int], step: int) -> Tensor:
        stored = predictions[step * 3 + frames[0] // 4]
        if step == 1:
            after_first.update({frame: latents[0, :, slot] for slot, frame in enumerate(frames)})
        return guide(stored[:1], stored[1:], 3.5) if case == "cfg" else stored

    def update(prediction: Tensor, latents: Tensor, step: int) -> Tensor:
        return schedule.ddim_step(prediction, latents, t=int(timesteps[step]), num_steps=2)

    stream = stream_latents(
        14, 2, size=6, overlap=2, predict=predict, update=update, initial=lambda frame: initial[:, frame]
    )
    final = torch.stack([latents for _, latents in stream], dim=1)
    first = torch.stack([after_first[frame] for frame in range(14)], dim=1)
    torch.testing.assert_close(first, golden[f"{case}/out.latents_after_step_0"][0], atol=2e-5, rtol=0)
    torch.testing.assert_close(final, golden[f"{case}/out.latents_after_step_1"][0], atol=2e-5, rtol=0)


def test_what_the_padding_predicts_is_thrown_away() -> None:
    def predict(latents: Tensor, frames: Sequence[int], step: int) -> Tensor:
        prediction = torch.zeros_like(latents)
        seen: set[int] = set()
        for slot, frame in enumerate(frames):
            prediction[:, :, slot] = 1e6 if frame in seen else 1.0
            seen.add(frame)
        return prediction

    stream = stream_latents(
        15,
        1,
        size=6,
        overlap=2,
        predict=predict,
        update=lambda prediction, latents, step: prediction,
        initial=lambda frame: torch.zeros(1, 1, 1),
    )
    assert [float(latents) for _, latents in stream] == [1.0] * 15


def test_only_a_few_windows_are_under_way_however_long_the_video_is() -> None:
    def most_active(num_frames: int) -> int:
        started = finished = most = 0

        def initial(frame: int) -> Tensor:
            nonlocal started, most
            started += 1
            most = max(most, started - finished)
            return torch.zeros(1, 1, 1)

        for _ in stream_latents(
            num_frames, 4, size=6, overlap=2, predict=drifting_predictor, update=halfway, initial=initial
        ):
            finished += 1
        assert started == num_frames
        return most

    assert most_active(2000) == most_active(200) <= 4 * 6 + 6


def test_the_number_of_calls_is_known_beforehand() -> None:
    calls = 0

    def predict(latents: Tensor, frames: Sequence[int], step: int) -> Tensor:
        nonlocal calls
        calls += 1
        return latents

    list(
        stream_latents(
            50,
            3,
            size=24,
            overlap=4,
            predict=predict,
            update=halfway,
            initial=lambda frame: torch.zeros(1, 1, 1),
        )
    )
    assert calls == num_calls(50, 3, size=24, overlap=4) == 9
