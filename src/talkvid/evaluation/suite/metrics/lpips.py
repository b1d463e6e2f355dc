"""LPIPS of made pictures to the true ones."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from talkvid.evaluation.facts import Fact
from talkvid.evaluation.suite.entry import Entry, PlainMetric
from talkvid.evaluation.suite.metric import ClipView, Column, Measured, Need
from talkvid.evaluation.suite.metrics.outcome import outcome, pair_facts
from talkvid.evaluation.suite.weights import MetricSettings

if TYPE_CHECKING:
    from talkvid.evaluation.lpips import Lpips

COLUMN = Column(
    "lpips_alex",
    "LPIPS (alex)",
    "lower",
    "Distance to the true pictures in the features of a network (AlexNet or VGG-16), 0 for equal ones.",
)


def load(settings: MetricSettings) -> "Lpips":
    """Return the network; NotAtHand when a file was never fetched, ValueError for one that does not fit."""
    from talkvid.evaluation.lpips import RECIPES, Lpips

    recipe = RECIPES[settings.lpips_network]
    trunk, heads = settings.files((settings.lpips_trunk, recipe.trunk), (settings.lpips_heads, recipe.heads))
    return Lpips(trunk, heads, network=settings.lpips_network, device=settings.device)


def earned(columns: tuple[Column, ...], network: "Lpips") -> tuple[Column, ...]:
    """Return the columns with the names that the network and its weights have earned."""
    other = "" if network.published else "_other_weights"
    return tuple(
        replace(
            column,
            key=column.key.replace("_alex", f"_{network.network}{other}"),
            heading=column.heading.replace("LPIPS (alex)", network.name),
        )
        for column in columns
    )


def weights_told(network: "Lpips") -> dict[str, Fact]:
    """Return what of the network its numbers depend on."""
    told = {name: network.facts[name] for name in ("network", "trunk_sha256", "heads_sha256")}
    return {**told, "device": str(network.device)}


def measure(view: ClipView, *, network: "Lpips", column: Column) -> Measured:
    """Return the mean distance."""
    found = network.agreement(view.frame_pairs())
    return outcome({column.key: found.mean}, facts={**pair_facts(view), **found.protocol})


def build(settings: MetricSettings) -> PlainMetric:
    """Return the metric with the network of the settings."""
    network = load(settings)
    columns = earned((COLUMN,), network)
    return PlainMetric(
        ENTRY,
        partial(measure, network=network, column=columns[0]),
        version=int(network.facts["version"] or 0),
        columns=columns,
        **weights_told(network),
    )


ENTRY = Entry(
    name="lpips",
    description="LPIPS 0.1 (Zhang et al. 2018) with AlexNet or VGG-16",
    columns=(COLUMN,),
    needs=frozenset({Need.REFERENCE}),
    build=build,
    weights="alexnet and lpips-alex, or vgg16 and lpips-vgg",
    models=("alexnet", "lpips-alex", "vgg16", "lpips-vgg"),
)
