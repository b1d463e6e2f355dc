"""Installed packages that contradict one another, by what they say of themselves; nothing is imported."""

import re
from collections.abc import Iterable, Iterator
from importlib import metadata

from talkvid.cli.checkup.wanted import installed_version, parse

WATCHED = ("torch", "transformers", "numpy")
"""Whoever asks for one of these is looked at too: a torchvision of another torch breaks transformers."""


def conflicts(names: Iterable[str]) -> Iterator[str]:
    """Yield a sentence per requirement that an installed package has and this environment does not fulfil.

    Looked at are the distributions `names`, all that these stand on, and whoever asks for one of WATCHED.
    """
    requirements = {_plain(str(one.name)): (one, one.requires or []) for one in metadata.distributions()}
    wanted = {_plain(name) for name in names}
    for name, (_, lines) in requirements.items():
        if any(_plain(_name(line)) in WATCHED for line in lines if "extra ==" not in line):
            wanted.add(name)
    seen: set[str] = set()
    while wanted:
        name = wanted.pop()
        seen.add(name)
        if name not in requirements:
            continue
        distribution, lines = requirements[name]
        told = f"{distribution.name} {distribution.version}"
        for line in lines:
            parsed = parse(line)
            if parsed is None or (parsed.marker and not parsed.marker.evaluate({"extra": ""})):
                continue
            version = installed_version(parsed.name)
            if version is None:
                yield f"{told} wants {parsed.name}, which is not installed"
            elif not parsed.specifier.contains(version, prereleases=True):
                yield f"{told} wants {parsed.name}{parsed.specifier}, {version} is installed"
            if _plain(parsed.name) not in seen:
                wanted.add(_plain(parsed.name))


def _name(line: str) -> str:
    match = re.match(r"[\w.-]+", line)
    return match.group() if match else ""


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
