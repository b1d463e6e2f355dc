"""Optional packages, imported where they are used and named when they are missing."""

import importlib
from types import ModuleType


def require(module: str, *, extra: str) -> ModuleType:
    """Return the imported module; raise ImportError naming the pip extra when it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f"{module} cannot be imported ({error}): pip install 'talkvid[{extra}]'") from error
