"""SyncNet's weights: the user's file, read without running code, every name and shape checked."""

import os
from dataclasses import dataclass
from pathlib import Path

from talkvid.evaluation.syncnet_network import SyncNet, is_finite
from talkvid.evaluation.weight_files import SYNCNET, file_sha256
from talkvid.model.weights import load_state, read_state

REMEDY = "fetch the published file with `talkvid models fetch syncnet`"
MAY_MISS = ("*.num_batches_tracked",)
"""Counters of training that files of early torch versions lack and that no result depends on."""


@dataclass(frozen=True)
class SyncNetWeights:
    """A network ready to compute and where its numbers came from."""

    network: SyncNet
    sha256: str
    """Of the file."""

    @property
    def published(self) -> bool:
        """Return whether the file is the published one, byte for byte."""
        return self.sha256 == SYNCNET.sha256


def load_syncnet(path: str | os.PathLike[str]) -> SyncNetWeights:
    """Return the network with the weights of a file; FileNotFoundError or ValueError naming what differs."""
    place = Path(path)
    if not place.is_file():
        raise FileNotFoundError(f"{place}: there are no SyncNet weights here; {REMEDY}")
    network = SyncNet()
    try:
        load_state(network, read_state(place), source=str(place), may_miss=MAY_MISS)
    except ValueError as error:
        raise ValueError(f"{error}; {REMEDY}") from error
    if not is_finite(network):
        raise ValueError(f"{place}: holds numbers that are not finite; {REMEDY}")
    network.eval().requires_grad_(False)
    return SyncNetWeights(network, file_sha256(place))
