"""The latent cache of a run: filled by all its processes before the first step."""

import logging
from collections.abc import Sequence
from pathlib import Path

from talkvid.dataset.index import Clip
from talkvid.dataset.latent_cache import LatentCache, fingerprint
from talkvid.dataset.latent_fill import fill_cache
from talkvid.training.config import TrainConfig
from talkvid.training.engine import Engine
from talkvid.training.step import SamplingEncoder
from talkvid.training.task import TalkingHeadTask

logger = logging.getLogger(__name__)

MOST_NAMED = 5


def open_latents(
    config: TrainConfig, task: TalkingHeadTask, clips: Sequence[Clip], engine: Engine
) -> LatentCache | None:
    """Return the filled cache that data.latent_cache names, or None where none is named.

    Every process encodes its share on its device; the image autoencoder rests on the CPU afterwards.
    Raises ValueError in every process when the autoencoder gives no distribution or clips cannot be encoded.
    """
    folder = config.data.latent_cache
    if not folder:
        return None
    autoencoder = task.bundle.vae
    if not isinstance(autoencoder, SamplingEncoder):
        raise ValueError(
            f"data.latent_cache={folder}: this model's image autoencoder gives no mean and deviation to "
            "store; set data.latent_cache=null, or choose a model with AutoencoderKL (model.vae_path)"
        )
    data, processes = config.data, engine.processes
    cache = LatentCache(
        Path(folder),
        width=data.width,
        height=data.height,
        autoencoder=fingerprint(autoencoder),
        mirrored=config.augment.flip_probability > 0,
    )
    autoencoder.to(engine.device)
    own = fill_cache(
        cache,
        clips,
        autoencoder.moments,
        device=engine.device,
        rank=processes.rank,
        processes=processes.count,
    )
    # What all processes gather, all have waited for.
    failed = {name: reason for part in processes.gather(own) for name, reason in part.items()}
    if failed:
        named = "; ".join(f"{name}: {failed[name]}" for name in sorted(failed)[:MOST_NAMED])
        raise ValueError(
            f"{len(failed)} of {len(clips)} clips cannot be encoded for data.latent_cache: {named}; take "
            "them out of their data list"
        )
    task.rest_autoencoder()
    logger.info("%d clips are read from the latents in %s", len(clips), cache.folder)
    return cache
