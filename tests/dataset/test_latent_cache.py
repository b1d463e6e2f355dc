"""Stored latents are those of the frames, and a file that is not right is never taken for one that is."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from talkvid.dataset import latent_fill, talking_face
from talkvid.dataset.batch import SampleKey, collate
from talkvid.dataset.index import Clip, find_clips
from talkvid.dataset.latent_cache import LatentCache, fingerprint
from talkvid.dataset.latent_fill import fill_cache
from talkvid.dataset.talking_face import TalkingFaceDataset, WindowSettings
from tests.training.synthetic import make_dataset

SETTINGS = WindowSettings(num_frames=3, width=64, height=64, reference_margin=2, flip_probability=0.5)


def moments(images: Tensor) -> tuple[Tensor, Tensor]:
    """Stand in for an autoencoder: means of 8 x 8 blocks, and their deviation by brightness."""
    mean = torch.nn.functional.avg_pool2d(images, 8)
    return torch.cat([mean, mean[:, :1]], 1), torch.cat([mean, mean[:, :1]], 1).abs() * 0.1


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    return find_clips([make_dataset(tmp_path / "data")], at_least=SETTINGS.least_frames)


@pytest.fixture
def cache(tmp_path: Path) -> LatentCache:
    return LatentCache(tmp_path / "latents", width=64, height=64, autoencoder="abc", mirrored=True)


def test_samples_with_and_without_cache_are_the_same_but_for_rounding(
    clips: list[Clip], cache: LatentCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = TalkingFaceDataset(clips, SETTINGS, seed=4)
    keys = [SampleKey(epoch, number) for epoch in range(4) for number in range(3)]
    expected = [plain[key] for key in keys]
    assert not fill_cache(cache, clips, moments)
    monkeypatch.setattr(talking_face, "read_at", None)  # no video is decoded
    cached = TalkingFaceDataset(clips, SETTINGS, seed=4, latents=cache)
    for key, sample in zip(keys, expected, strict=True):
        found = cached[key]
        for name in ("kps_images", "audio_windows", "lip_masks", "reference_points", "target_points"):
            assert torch.equal(getattr(found, name), getattr(sample, name)), name
        assert found.target_moments is not None and found.reference_moments is not None
        targets = torch.stack(moments(sample.target_images.transpose(0, 1)), dim=1)
        assert torch.allclose(found.target_moments, targets, atol=5e-4)
        reference = torch.stack(moments(sample.reference_image[None]), dim=1)[0]
        assert torch.allclose(found.reference_moments, reference, atol=5e-4)
        assert found.target_images.shape == (3, 3, 0, 0)
    batch = collate([cached[0], cached[1]])
    assert batch.target_moments is not None and batch.target_moments.shape == (2, 3, 2, 4, 8, 8)
    assert batch.to("cpu").target_moments is not None


def test_a_filling_goes_on_where_it_was_and_each_process_takes_its_share(
    clips: list[Clip], cache: LatentCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[str] = []
    real = latent_fill._encode_clip

    def counting(cache: LatentCache, clip: Clip, *args: object, **options: object) -> None:
        encoded.append(clip.id)
        real(cache, clip, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(latent_fill, "_encode_clip", counting)
    fill_cache(cache, clips, moments, rank=1, processes=2)
    assert encoded == ["clip1"]
    fill_cache(cache, clips, moments, rank=0, processes=2)
    assert encoded == ["clip1", "clip0", "clip2"]
    cache.path_of(clips[2]).unlink()
    fill_cache(cache, clips, moments)
    assert encoded == ["clip1", "clip0", "clip2", "clip2"]


def test_an_interrupted_clip_leaves_no_file_behind(clips: list[Clip], cache: LatentCache) -> None:
    calls = []

    def stopped(images: Tensor) -> tuple[Tensor, Tensor]:
        calls.append(len(images))
        if len(calls) > 2:
            raise KeyboardInterrupt
        return moments(images)

    with pytest.raises(KeyboardInterrupt):
        fill_cache(cache, clips, stopped)
    assert not cache.folder.exists() or not list(cache.folder.iterdir())


def test_clips_that_cannot_be_encoded_are_told_and_the_others_are_done(
    clips: list[Clip], cache: LatentCache
) -> None:
    clips[1].video.write_bytes(b"no video")
    clips[2] = replace(clips[2], num_frames=99)
    failed = fill_cache(cache, clips, moments)
    assert set(failed) == {"clip1", "clip2"} and "cannot be opened" in failed["clip1"]
    assert "14 frames, the list says 99" in failed["clip2"]
    assert not cache.fault(clips[0]) and "missing" in cache.fault(clips[1])


@pytest.mark.parametrize("what", ["autoencoder", "size", "video", "mirrored", "cut", "overwritten", "lost"])
def test_a_file_that_is_stale_or_damaged_is_an_error_and_filled_anew_only_before_training(
    clips: list[Clip], cache: LatentCache, what: str
) -> None:
    fill_cache(cache, clips, moments)
    path = cache.path_of(clips[0])
    asked = cache
    message = "delete it and start again"
    if what == "autoencoder":
        asked, message = replace(cache, autoencoder="def"), "made with another autoencoder"
    elif what == "size":
        asked, message = replace(cache, width=32, height=32), "made with another size"
    elif what == "video":
        os.utime(clips[0].video, ns=(5, 5))
        message = "made with another video_changed_ns"
    elif what == "mirrored":
        path.unlink()
        fill_cache(replace(cache, mirrored=False), clips, moments)
        message = "made without mirrored frames"
    elif what == "cut":
        path.write_bytes(path.read_bytes()[:-100])
        message = "damaged"
    elif what == "overwritten":
        content = bytearray(path.read_bytes())
        content[2000:] = b"\xff" * (len(content) - 2000)  # no number in any alignment
        path.write_bytes(content)
        message = "damaged, it holds what is no number"
    else:
        path.unlink()
        message = "latents of this clip are missing"
    settings = replace(SETTINGS, width=asked.width, height=asked.height)
    dataset = TalkingFaceDataset(clips, settings, latents=asked)
    before = path.read_bytes() if path.exists() else b""
    with pytest.raises(ValueError, match=message) as caught:
        for epoch in range(6):
            _ = dataset[SampleKey(epoch, 0)]
    assert str(path) in str(caught.value) and str(caught.value).startswith("clip clip0: ")
    assert "\n" not in str(caught.value)
    assert (path.read_bytes() if path.exists() else b"") == before
    if what != "overwritten":
        assert not fill_cache(asked, clips, moments) and not asked.fault(clips[0])


def test_clips_of_one_name_in_two_lists_do_not_share_a_file(tmp_path: Path, cache: LatentCache) -> None:
    lists = [make_dataset(tmp_path / folder, num_clips=1) for folder in ("one", "two")]
    first, second = find_clips(lists, at_least=6)
    assert first.id == second.id and cache.path_of(first) != cache.path_of(second)
    odd = replace(first, id="../a clip/with: odd")
    assert cache.path_of(odd).parent == cache.folder


def test_the_fingerprint_follows_the_weights_and_nothing_else() -> None:
    torch.manual_seed(0)
    layer = torch.nn.Linear(3, 2)
    before = fingerprint(layer)
    assert fingerprint(layer.train(False)) == before
    with torch.no_grad():
        layer.weight[0, 0] += 1e-3
    assert fingerprint(layer) != before
