"""`talkvid models verify`: the content of what is there, against checksums where there are any."""

import argparse
import sys
from pathlib import Path

from talkvid.catalogue.presence import FileState, ModelState, look, read_notes, write_note
from talkvid.catalogue.table import MODELS, expand
from talkvid.cli.model_store.bring import note
from talkvid.cli.model_store.content import sums
from talkvid.cli.model_store.structure import check_structure


def verify(args: argparse.Namespace) -> int:
    """Return 0 when every file that is there is what it shall be and every model named is there, else 1."""
    records = expand(args.names, with_needs=False) if args.names else list(MODELS.values())
    states = [look(record, args.folder) for record in records if not record.embedded]
    if not args.names:
        states = [state for state in states if state.status != "absent"]
        if not states:
            sys.stdout.write(f"{args.folder}: no model of the catalogue lies here\n")
            return 0
    good = [_verify(state, args.folder) for state in states]
    bad = sum(not fine for fine in good)
    sys.stdout.write(f"{len(good) - bad} of {len(good)} models are whole and right\n")
    return 1 if bad else 0


def _verify(state: ModelState, folder: Path) -> bool:
    """Return whether a model is whole and right, after a line about each of its files."""
    fine = True
    for file in state.files:
        try:
            sys.stdout.write(f"right    {file.file.place}: {_checked(file, folder)}\n")
        except (ValueError, OSError) as error:
            write_note(folder, file.file.place, None)
            fine = False
            sys.stdout.write(f"{'absent ' if file.status == 'absent' else 'WRONG  '}  {error}\n")
        sys.stdout.flush()
    return fine


def _checked(state: FileState, folder: Path) -> str:
    """Return what vouches for a file; ValueError or FileNotFoundError with the remedy when nothing does."""
    file, path = state.file, state.path
    if state.status == "absent":
        raise FileNotFoundError(f"{file.place}: not there")
    if state.status == "part":
        raise ValueError(f"{file.place}: {state.size} bytes have come so far; fetch it again to go on there")
    if state.status == "wrong size":
        raise ValueError(f"{file.place}: has {state.size} bytes, not {file.size}; fetch it again")
    known, found = read_notes(folder).get(file.place), sums(path).sha256
    if file.sha256 and found == file.sha256:
        by, told = "catalogue", "checksum as recorded"
    elif known is not None and known.by in ("server", "--sha256") and found == known.sha256:
        by, told = known.by, f"checksum as {'the server stated' if known.by == 'server' else 'you said'}"
    elif file.sha256 and file.is_settings:
        by, told = "structure", "not the recorded settings, which another program may have written"
    elif file.sha256:
        raise ValueError(
            f"{file.place}: the checksum is {found}, not {file.sha256}; remove it and fetch it again"
        )
    elif known is not None and found != known.sha256:
        raise ValueError(f"{file.place}: has changed since it came; remove it and fetch it again")
    else:
        by, told = "structure", "no checksum is known"
    if by != "catalogue" or file.network:
        told = f"{told}; {check_structure(path, file, folder)}"
    note(path, folder, file.place, sha256=found, by=by, source=known.source if known else "")
    return told
