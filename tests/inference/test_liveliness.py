import pytest

from talkvid.inference.settings import GenerateSettings, VideoSettings, resolve
from talkvid.model.bundle import EMBEDDED_FOLDER
from talkvid.model.bundle_config import BundleConfig

EMBEDDED = BundleConfig.from_file(EMBEDDED_FOLDER / "config.json")
PUBLISHED = BundleConfig()


def chosen(config: BundleConfig = EMBEDDED, **settings: object) -> VideoSettings:
    return resolve(GenerateSettings(**settings), config)  # type: ignore[arg-type]


def test_the_embedded_person_moves_and_blinks_unless_told_otherwise() -> None:
    usual = chosen()
    assert (usual.head_motion, usual.head_motion_scale, usual.blink) == ("natural", 1.0, True)
    still = chosen(head_motion="still", blink=False)
    assert (still.head_motion, still.blink) == ("still", False)


def test_a_checkpoint_without_motion_of_its_own_stands_still() -> None:
    usual = chosen(PUBLISHED)
    assert (usual.head_motion, usual.blink) == ("still", False)


def test_given_poses_and_fix_face_hold_the_natural_motion_back() -> None:
    assert chosen(kps_path="kps.npy").head_motion == "still"
    assert chosen(driving_video="driving.mp4").head_motion == "still"
    fixed = chosen(retarget_strategy="fix_face")
    assert (fixed.head_motion, fixed.blink) == ("still", True)


@pytest.mark.parametrize(
    ("config", "settings", "name"),
    [
        (PUBLISHED, {"head_motion": "natural"}, "head_motion"),
        (PUBLISHED, {"blink": True}, "blink"),
        (PUBLISHED, {"head_motion_scale": 0.5}, "head_motion_scale"),
        (EMBEDDED, {"head_motion": "still", "head_motion_scale": 0.5}, "head_motion_scale"),
        (EMBEDDED, {"head_motion": "natural", "kps_path": "kps.npy"}, "key points"),
        (EMBEDDED, {"head_motion": "natural", "retarget_strategy": "fix_face"}, "fix_face"),
    ],
)
def test_what_cannot_be_done_is_an_error(
    config: BundleConfig, settings: dict[str, object], name: str
) -> None:
    with pytest.raises(ValueError, match=name):
        chosen(config, **settings)


def test_values_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="head_motion_scale"):
        GenerateSettings(head_motion_scale=3.0)
    with pytest.raises(ValueError, match="natural"):
        GenerateSettings(head_motion="wild")
