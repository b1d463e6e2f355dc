"""DOVER's two raw outputs turned into scores: z over five sets of videos, fused, and as published."""

import math
from dataclasses import dataclass
from typing import Literal

Part = Literal["aesthetic", "technical"]


@dataclass(frozen=True)
class Population:
    """The raw outputs that DOVER gives to the videos of one set; standard deviations over n, not n - 1."""

    num_videos: int
    technical_mean: float
    technical_std: float
    aesthetic_mean: float
    aesthetic_std: float


POPULATIONS = {
    "LIVE-VQC": Population(
        585,
        technical_mean=-0.08271628358743639,
        technical_std=0.03773112440064705,
        aesthetic_mean=0.11049705521942615,
        aesthetic_std=0.07354546251945654,
    ),
    "KoNViD-1k": Population(
        1200,
        technical_mean=-0.1108095946504424,
        technical_std=0.04164084190730977,
        aesthetic_mean=0.04598554707792573,
        aesthetic_std=0.08439196367381438,
    ),
    "LSVQ-test": Population(
        7186,
        technical_mean=-0.10476808999578571,
        technical_std=0.04416020929114356,
        aesthetic_mean=0.07279286091419833,
        aesthetic_std=0.0888543749482265,
    ),
    "LSVQ-1080p": Population(
        3573,
        technical_mean=-0.08935492533008733,
        technical_std=0.04157141312401202,
        aesthetic_mean=0.12961287230669355,
        aesthetic_std=0.07570864521174059,
    ),
    "YouTube-UGC": Population(
        1147,
        technical_mean=-0.10473912158199856,
        technical_std=0.03982320857934691,
        aesthetic_mean=0.07920091803335322,
        aesthetic_std=0.08053009319519222,
    ),
}
"""From the predictions that DOVER's authors published with the network, in full precision."""
FUSION = {"aesthetic": (0.1107, 0.07355, 0.6104), "technical": (-0.08285, 0.03774, 0.3896)}
"""Part -> (mean, standard deviation, weight) of the fused score, as DOVER's authors give them."""


def z_score(raw: float, part: Part) -> float:
    """Return by how many standard deviations a raw output lies above the five sets, their mean.

    For each set the output joins the set before mean and deviation are taken, as DOVER's authors do. With
    n videos of mean m and deviation s and d = raw - m that is, without the videos themselves,
    (n/(n+1)) d / sqrt(n s^2/(n+1) + n d^2/(n+1)^2).
    """
    return sum(_z_in(population, raw, part) for population in POPULATIONS.values()) / len(POPULATIONS)


def _z_in(population: Population, raw: float, part: Part) -> float:
    n = population.num_videos
    if part == "aesthetic":
        mean, std = population.aesthetic_mean, population.aesthetic_std
    else:
        mean, std = population.technical_mean, population.technical_std
    distance = raw - mean
    return n / (n + 1) * distance / math.sqrt(n * std**2 / (n + 1) + n * distance**2 / (n + 1) ** 2)


def fused_score(aesthetic: float, technical: float) -> float:
    """Return DOVER's overall quality, 0 to 1, from the raw outputs."""
    total = 0.0
    for name, raw in (("aesthetic", aesthetic), ("technical", technical)):
        mean, std, weight = FUSION[name]
        total += (raw - mean) / std * weight
    return 1 / (1 + math.exp(-total)) if total >= 0 else math.exp(total) / (1 + math.exp(total))


def published_score(aesthetic: float) -> float:
    """Return the number that the TalkVid data set calls `dover_scores`: two decimals.

    It was made by reading DOVER's first output, the aesthetic one, as technical quality, so it is the
    aesthetic output measured against the technical outputs of the five sets. It is no technical quality: no
    video of those sets exceeds 2.59 in its true technical z. Only for comparison with published numbers.
    """
    return round(z_score(aesthetic, "technical"), 2)


def dover_scores(aesthetic: float, technical: float) -> dict[str, float]:
    """Return all scores by name from DOVER's raw outputs, the true ones and the published one apart."""
    return {
        "dover_aesthetic_raw": aesthetic,
        "dover_technical_raw": technical,
        "dover_aesthetic_z": z_score(aesthetic, "aesthetic"),
        "dover_technical_z": z_score(technical, "technical"),
        "dover_fused": fused_score(aesthetic, technical),
        "dover_scores": published_score(aesthetic),
    }
