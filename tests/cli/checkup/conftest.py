"""Hiding packages from the doctor as if they had never been installed."""

import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import machinery, metadata
from types import ModuleType

import pytest

Hide = Callable[..., None]


class Blocker:
    """A finder that stands before all others and knows nothing of some modules."""

    def __init__(self, modules: Sequence[str]) -> None:
        self.modules = modules

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> machinery.ModuleSpec | None:
        if name.partition(".")[0] in self.modules:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


@pytest.fixture
def hide(monkeypatch: pytest.MonkeyPatch) -> Hide:
    """Return what hides distributions, and modules, from everything that looks for them."""

    def hide_them(*, distributions: Sequence[str], modules: Sequence[str]) -> None:
        version, every = metadata.version, metadata.distributions
        gone = {name.lower() for name in distributions}

        def missing_version(name: str) -> str:
            if name.lower() in gone:
                raise metadata.PackageNotFoundError(name)
            return version(name)

        def others() -> Iterator[metadata.Distribution]:
            return (one for one in every() if str(one.name).lower() not in gone)

        monkeypatch.setattr(metadata, "version", missing_version)
        monkeypatch.setattr(metadata, "distributions", others)
        monkeypatch.setattr(sys, "meta_path", [Blocker(modules), *sys.meta_path])
        for name in list(sys.modules):
            if name.partition(".")[0] in modules:
                monkeypatch.delitem(sys.modules, name)

    return hide_them
