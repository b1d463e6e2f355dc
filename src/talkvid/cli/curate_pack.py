"""`talkvid curate pack`: the kept clips of a run as a data set that Hugging Face `datasets` reads."""

import logging
from pathlib import Path

from talkvid.cli.curate_request import Request
from talkvid.curation.config import load_curate_config, section

logger = logging.getLogger(__name__)


def pack(request: Request) -> int:
    """Write the data set and print its folder; 1 when kept clips are missing because they are not cut."""
    from talkvid.curation.pack import pack as write_packed
    from talkvid.curation.pack import report_lines

    folder = request.run_folder()
    config = load_curate_config(
        folder.config, *request.yaml_paths, overrides=["run.limit=0", *request.overrides]
    )
    output = Path(request.output) if request.output and request.input else folder.path / "packed"
    packed = write_packed(folder.path, output, section(config, "pack"))
    for line in report_lines(packed):
        logger.info("%s", line)
    print(packed.folder)
    return 1 if packed.not_cut else 0
