"""Models on disk are told apart: whole, begun, of a wrong size, or of another architecture."""

from pathlib import Path

import torch

from talkvid.catalogue.table import MODELS
from talkvid.cli.checkup import facts, models
from talkvid.cli.checkup.check import Check
from talkvid.cli.checkup.probing import Outcome
from talkvid.model.bundle import EMBEDDED_FOLDER
from talkvid.model.weights import read_state


def checks(folder: Path, release: dict[str, str] | None = None) -> dict[str, Check]:
    probed = {} if release is None else {f"facts:release={folder}": Outcome("", release)}
    return {check.name: check for check in models.check_models(folder, probed)}


def release(folder: Path) -> Path:
    place = folder / "v-express"
    place.mkdir(parents=True)
    for name in ("denoising_unet", "reference_net", "v_kps_guider", "audio_projection", "motion_module"):
        torch.save({"weight": torch.zeros(2)}, place / f"{name}.bin")
    return folder


def test_every_model_that_is_fetched_is_told_with_its_command(tmp_path: Path) -> None:
    found = checks(tmp_path)
    assert set(found) == {name for name, record in MODELS.items() if not record.embedded}
    assert all(check.status == "absent" and not check.stops for check in found.values())
    assert found["syncnet"].remedy == "talkvid models fetch syncnet"
    assert not models.has_release(tmp_path) and models.has_release(release(tmp_path))


def test_a_file_of_a_wrong_size_is_named(tmp_path: Path) -> None:
    path = tmp_path / "evaluation" / "syncnet_v2.model"
    path.parent.mkdir()
    path.write_bytes(b"short")
    check = checks(tmp_path)["syncnet"]
    assert check.status == "broken" and str(path) in check.detail and "wrong size" in check.detail


def test_a_release_is_compared_with_the_networks(tmp_path: Path) -> None:
    release(tmp_path)
    fits = checks(tmp_path, {"": "", "denoising_unet": "", "vae": ""})["v-express"]
    assert fits.status == "ok" and "names and shapes fit" in fits.detail
    wrong = checks(tmp_path, {"": "", "denoising_unet": "d.bin: 2 missing keys", "vae": ""})["v-express"]
    assert wrong.status == "broken" and "d.bin: 2 missing keys" in wrong.detail
    unknown = checks(tmp_path, {"": "UNet config is missing"})["v-express"]
    assert unknown.status == "note" and "UNet config is missing" in unknown.detail


def test_of_a_release_without_its_parts_the_reason_is_told(tmp_path: Path) -> None:
    found = facts.release_facts(str(release(tmp_path)))
    assert list(found) == [""] and "UNet config" in found[""]


def test_a_file_of_other_tensors_is_named_and_the_rest_fits(tmp_path: Path) -> None:
    from talkvid.model.bundle import check_network
    from talkvid.model.checkpoints import Checkpoint, locate

    whole = locate(EMBEDDED_FOLDER)
    state = {name: tensor.clone() for name, tensor in read_state(whole.files["v_kps_guider"]).items()}
    state["foreign"] = torch.zeros(1)
    torch.save(state, tmp_path / "guider.pth")
    changed = Checkpoint(whole.config, "log-mel", {**whole.files, "v_kps_guider": tmp_path / "guider.pth"})
    misfits = {}
    for name, spec in changed.config.modules.items():
        try:
            check_network(name, spec, changed)
        except ValueError as error:
            misfits[name] = str(error)
    assert list(misfits) == ["v_kps_guider"]
    assert "guider.pth: 1 unexpected key (first: foreign)" in misfits["v_kps_guider"]


def test_a_file_that_wants_to_run_code_is_refused(tmp_path: Path) -> None:
    import pickle

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path(tmp_path / "ran").touch, ())  # type: ignore[return-value]

    folder = release(tmp_path)
    (folder / "stable-diffusion-v1-5" / "unet").mkdir(parents=True)
    (folder / "stable-diffusion-v1-5" / "unet" / "config.json").write_text("{}")
    (folder / "v-express" / "audio_projection.bin").write_bytes(pickle.dumps(Evil()))
    told = facts.release_facts(str(folder))[""]
    assert "audio_projection.bin" in told and not (tmp_path / "ran").exists()


def test_the_embedded_model_is_whole() -> None:
    found = facts.embedded_facts()
    assert found["name"] == "talkvid-mini" and found["fps"] == 25.0
    check = models.check_embedded({"facts:embedded": Outcome("", found)})
    assert check.status == "ok" and "512x512 at 25 fps" in check.detail


def test_without_torch_the_embedded_model_is_not_called_broken() -> None:
    probed = {"facts:embedded": Outcome("ModuleNotFoundError: No module named 'torch'")}
    check = models.check_embedded(probed)
    assert check.status == "note" and not check.stops
