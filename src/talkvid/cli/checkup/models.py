"""Models on disk: the embedded one, and those of the catalogue below the models' folder."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from talkvid.catalogue.presence import ModelState, look
from talkvid.catalogue.record import ModelRecord
from talkvid.catalogue.table import MODELS
from talkvid.cli.checkup.check import Check, one_line
from talkvid.cli.checkup.probing import Outcome

EMBEDDED = "embedded model"
TOPIC = "models on disk"
RELEASE = "v-express"
MATCHED = {"v-express": "", "sd-vae": "vae"}
"""Models whose tensors are compared with our networks; the network where it is one."""


def has_release(folder: Path) -> bool:
    """Return whether any file of the release lies below the models' folder."""
    return any(state.status != "absent" for state in look(MODELS[RELEASE], folder).files)


def check_embedded(probed: Mapping[str, Outcome]) -> Check:
    """Return whether the embedded model is whole: its files fit its networks."""
    outcome = probed.get("facts:embedded", Outcome("was not asked"))
    if outcome.works:
        about = outcome.found
        size = f"{about['width']}x{about['height']} at {about['fps']:g} fps"
        return Check(
            EMBEDDED, str(about["name"]), "ok", f"{size}, {about['license']}; its files fit its networks"
        )
    if outcome.error.startswith(("ModuleNotFoundError", "ImportError", "OSError: lib")):
        return Check(EMBEDDED, "talkvid-mini", "note", f"not looked into: {outcome.error}")
    remedy = "install the package again, or use a complete checkout"
    return Check(EMBEDDED, "talkvid-mini", "broken", outcome.error, remedy, ("generate", "app"))


def check_models(folder: Path, probed: Mapping[str, Outcome]) -> Iterator[Check]:
    """Yield every model of the catalogue that is fetched: whole, begun, wrong, or not there."""
    release = probed.get(f"facts:release={folder}", Outcome("was not looked into"))
    for record in MODELS.values():
        if not record.embedded:
            state = look(record, folder)
            yield check_model(record, state, release)


def check_model(record: ModelRecord, state: ModelState, release: Outcome) -> Check:
    """Return the state of one model, with the misfit where its files belong to another architecture."""
    fetch = f"talkvid models fetch {record.name}"
    if state.status == "absent":
        return Check(TOPIC, record.name, "absent", f"not there: {record.purpose}", fetch)
    if not state.usable:
        bad = [f"{one.path} ({one.status})" for one in state.files if one.status not in ("there", "verified")]
        return Check(TOPIC, record.name, "broken", one_line(", ".join(bad)), fetch)
    place = state.files[0].path.parent
    if record.name in MATCHED:
        misfits = misfits_of(MATCHED[record.name], release)
        if misfits:
            return Check(
                TOPIC, record.name, "broken", one_line(misfits[0]), f"{fetch}, or the right file by hand"
            )
        if release.works and not release.found.get(""):
            return Check(TOPIC, record.name, "ok", f"{place}: names and shapes fit the networks")
        return Check(
            TOPIC, record.name, "note", f"{place}: not compared: {release.found.get('', release.error)}"
        )
    told = "verified" if state.status == "verified" else "not verified (talkvid models verify)"
    return Check(TOPIC, record.name, "ok", f"{place}: {told}")


def misfits_of(network: str, release: Outcome) -> list[str]:
    """Return why files do not fit: of one network, or without a name of all but the autoencoder."""
    found = {name: why for name, why in release.found.items() if why and name}
    return [why for name, why in found.items() if (name == network if network else name != "vae")]
