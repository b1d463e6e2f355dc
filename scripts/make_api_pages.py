"""Make the pages of the Python API from its docstrings: python scripts/make_api_pages.py [FOLDER].

Needs the extra `docs` (pdoc). The start is index.html in the folder; `build/api` is the default.
"""

import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path

import talkvid

ROOT = Path(__file__).resolve().parent.parent


def rooms() -> Iterator[str]:
    """Yield the names of the package's own modules and rooms; pdoc finds what is in a room by itself."""
    for found in pkgutil.iter_modules(talkvid.__path__, f"{talkvid.__name__}."):
        if found.name != "talkvid.weights":
            yield found.name


def main(folder: Path) -> Path:
    """Return the first page, made; ImportError when pdoc is not installed."""
    from talkvid.extras import require

    pdoc = require("pdoc", extra="docs")
    # What is loaded on first use must be there to be seen.
    vars(talkvid).update({name: getattr(talkvid, name) for name in talkvid.__all__})
    require("pdoc.render", extra="docs").configure(docformat="google", footer_text=talkvid.__version__)
    pdoc.pdoc(talkvid.__name__, *rooms(), output_directory=folder)
    return folder / "index.html"


if __name__ == "__main__":
    print(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "api"))
