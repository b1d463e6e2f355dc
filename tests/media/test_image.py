from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from talkvid.media.image import load_image, probe_image, resize, save_image


def test_the_exif_tag_turns_the_picture_upright(tmp_path: Path) -> None:
    stored = np.zeros((20, 30, 3), np.uint8)
    stored[:, :10] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(stored).save(tmp_path / "a.png", exif=exif)
    image = load_image(tmp_path / "a.png")
    assert image.shape == (30, 20, 3)
    assert image[:10].min() == 255 and image[10:].max() == 0


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_every_kind_of_picture_becomes_rgb(tmp_path: Path, mode: str) -> None:
    if mode == "I;16":
        picture = Image.fromarray(np.full((8, 6), 65535, np.uint16))
    else:
        picture = Image.new("RGB", (6, 8), (255, 255, 255)).convert(mode)
    name = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    picture.save(name)
    image = load_image(name)
    assert image.shape == (8, 6, 3) and image.dtype == np.uint8 and image.flags.writeable
    assert image.min() >= 250


def test_transparent_parts_show_white(tmp_path: Path) -> None:
    picture = np.zeros((4, 4, 4), np.uint8)
    picture[0, 0] = (10, 20, 30, 255)
    picture[0, 1] = (0, 0, 0, 128)
    Image.fromarray(picture).save(tmp_path / "a.png")
    image = load_image(tmp_path / "a.png")
    assert image[0, 0].tolist() == [10, 20, 30]
    assert image[0, 1].tolist() == [127, 127, 127]
    assert image[3, 3].tolist() == [255, 255, 255]


def test_a_broken_colour_profile_is_reported_and_ignored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Image.new("RGB", (4, 4), (1, 2, 3)).save(tmp_path / "a.png", icc_profile=b"nonsense")
    assert load_image(tmp_path / "a.png")[0, 0].tolist() == [1, 2, 3]
    assert "colour profile" in caplog.text


def test_an_srgb_profile_changes_nothing(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("RGB", (4, 4), (100, 150, 200)).save(tmp_path / "a.png", icc_profile=profile)
    assert np.abs(load_image(tmp_path / "a.png")[0, 0].astype(int) - [100, 150, 200]).max() <= 1


def test_what_is_no_picture_and_what_is_cut_short_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture at all")
    with pytest.raises(ValueError, match="not a picture that can be read"):
        load_image(tmp_path / "text.jpg")
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole.jpg")
    (tmp_path / "half.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"cannot be decoded.*truncated") as raised:
        load_image(tmp_path / "half.jpg")
    assert "\n" not in str(raised.value)


def test_the_size_is_told_without_unpacking_and_what_is_no_picture_is_named(tmp_path: Path) -> None:
    save_image(tmp_path / "whole.png", np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8))
    assert probe_image(tmp_path / "whole.png") == (60, 40)
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:200])
    assert probe_image(tmp_path / "cut.png") == (60, 40)
    (tmp_path / "page.png").write_text("<html>")
    with pytest.raises(ValueError, match="not a picture that can be read"):
        probe_image(tmp_path / "page.png")
    with pytest.raises(FileNotFoundError):
        probe_image(tmp_path / "absent.png")


def test_saved_pictures_come_back(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (10, 12, 3), dtype=np.uint8)
    save_image(tmp_path / "new" / "a.png", image)
    assert np.array_equal(load_image(tmp_path / "new" / "a.png"), image)
    save_image(tmp_path / "grey.jpg", np.full((16, 16), 77, np.uint8))
    assert np.abs(load_image(tmp_path / "grey.jpg").astype(int) - 77).max() <= 1
    with pytest.raises(ValueError, match=r"no picture format has the suffix '\.xyz'"):
        save_image(tmp_path / "a.xyz", image)


def test_resizing_equals_pil_lanczos() -> None:
    image = np.random.default_rng(0).integers(0, 255, (40, 30, 3), dtype=np.uint8)
    expected = np.array(Image.fromarray(image).resize((17, 21), Image.Resampling.LANCZOS))
    assert np.array_equal(resize(image, 17, 21), expected)
    same = resize(image, 30, 40)
    assert np.array_equal(same, image) and same is not image


def test_the_portraits_at_hand_can_be_read(shared: Path) -> None:
    folders = (shared / "media/dev/portraits", shared / "media/dev/portraits_bad")
    for path in (path for folder in folders for path in sorted(folder.iterdir())):
        assert min(load_image(path).shape[:2]) >= 256
