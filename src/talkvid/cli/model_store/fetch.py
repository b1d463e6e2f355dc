"""`talkvid models fetch`: the licence first, then every missing file, whole and checked, or not at all."""

import argparse
import contextlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

from talkvid.catalogue.commercial import refuse
from talkvid.catalogue.presence import ModelState, look
from talkvid.catalogue.record import ModelFile, ModelRecord, ZipMember
from talkvid.catalogue.table import SETS, expand, find
from talkvid.cli.model_store.bring import bring, bring_members, still_to_come, whole
from talkvid.cli.model_store.progress import told_size
from talkvid.cli.model_store.room import require_room
from talkvid.cli.model_store.source import Wanted, wanted
from talkvid.fetching.http_file import HttpSettings

logger = logging.getLogger(__name__)

Missing = list[tuple[ModelRecord, ModelFile]]


def fetch(args: argparse.Namespace, *, settings: HttpSettings) -> int:
    """Return 0 when every file lies in its place; the last line printed is the models' folder.

    ValueError when a licence was not accepted, for a file with another content than it must have, which is
    not kept, and for anything that does not come; what came so far is kept and the next call goes on there.
    """
    records = _records(args)
    states = [look(record, args.folder) for record in records]
    missing = [
        (state.record, file.file)
        for state in states
        for file in state.files
        if file.status not in ("there", "verified")
    ]
    _show(states)
    if not args.list and missing:
        _accept([record for record, _ in missing], accepted=args.accept_licence)
        with _alone(args.folder):
            _bring_all(missing, args, settings)
    for state in (look(record, args.folder) for record in records):
        _tell_places(state)
        if state.usable and state.record.next_step:
            sys.stdout.write(f"next: {state.record.next_step.format(folder=args.folder)}\n")
    sys.stdout.write(f"{args.folder}\n")
    return 0


def _records(args: argparse.Namespace) -> list[ModelRecord]:
    """Return what shall be fetched; ValueError for what cannot be."""
    if not args.names:
        raise ValueError(f"say what to fetch: a name from `talkvid models list`, or {', '.join(SETS)}")
    for name in args.names:
        record = None if name in SETS else find(name)
        if record is not None and record.embedded:
            raise ValueError(f"{record.name} comes with the package; there is nothing to fetch")
        if record is not None and not record.fetchable:
            raise ValueError(
                f"{record.name}: {record.licence.told}; where you have it: "
                f"talkvid models import {record.name} --from FILE"
            )
    single = args.url is not None or args.sha256 is not None
    records = expand(args.names, with_needs=not single)
    if single and (len(records) != 1 or len(records[0].files) != 1):
        raise ValueError("--url and --sha256 belong to one model of a single file, such as dover or syncnet")
    if args.commercial_safe:
        refuse((record.name for record in records), remedy="leave it out, nothing was fetched")
    return records


def _show(states: list[ModelState]) -> None:
    """Print what each model is and its licence, before anything else."""
    for state in states:
        record = state.record
        known = told_size(record.size) if record.size is not None else "size not recorded"
        what = f"{len(state.files)} files, {known}" if len(state.files) > 1 else known
        sys.stdout.write(f"{record.name}: {record.title}; {record.purpose} ({what})\n")
        sys.stdout.write(f"  licence: {record.licence.told}: {record.licence.link}\n")
    sys.stdout.flush()


def _accept(records: list[ModelRecord], *, accepted: bool) -> None:
    """Return when the licences are free or the user agrees; ValueError naming the flag otherwise."""
    names = list(dict.fromkeys(record.name for record in records if record.licence.needs_acceptance))
    if accepted or not names:
        return
    what = ", ".join(names)
    if sys.stdin.isatty() and sys.stderr.isatty():
        sys.stderr.write(f"fetch {what} under the terms above? [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() in ("y", "yes"):
            return
        raise ValueError(f"{what}: the licence was not accepted, nothing was fetched")
    raise ValueError(
        f"{what}: the licence above restricts the use; where you agree to it, say --accept_licence"
    )


def _bring_all(missing: Missing, args: argparse.Namespace, settings: HttpSettings) -> None:
    """Ask for every file first, so that no terms and no lack of room come to light after hours."""
    planned = [
        (record, wanted(record, file, url=args.url, sha256=args.sha256, settings=settings))
        for record, file in missing
    ]
    zipped = [entry for entry in planned if _is_zipped(entry[1])]
    single = [entry for entry in planned if not _is_zipped(entry[1])]
    archives = {
        source.url: source for _, entry in zipped if isinstance(source := entry.file.source, ZipMember)
    }
    sizes = [still_to_come(entry, args.folder) for _, entry in planned]
    sizes += [still_to_come(whole(source), args.folder) for source in archives.values()]
    total = sum(size for size in sizes if size is not None)
    require_room(args.folder, total)
    count = "1 file" if len(planned) == 1 else f"{len(planned)} files"
    logger.info("fetching %s, %s%s", count, told_size(total), " or more" if None in sizes else "")
    try:
        for record, entry in single:
            bring(record, entry, args.folder, settings=settings)
        for address in archives:
            bring_members([entry for _, entry in zipped if entry.address == address], args.folder, settings)
    except KeyboardInterrupt:
        logger.warning("stopped; what came so far is kept, the same command goes on there")
        raise


def _is_zipped(entry: Wanted) -> bool:
    return isinstance(entry.file.source, ZipMember) and entry.address == entry.file.source.url


def _tell_places(state: ModelState) -> None:
    for file in state.files:
        to_fetch = file.status not in ("there", "verified")
        sys.stdout.write(f"{file.path}{' (to fetch)' if to_fetch else ''}\n")


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the models' folder for this process; ValueError while another one is fetching into it."""
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".fetching").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ValueError(
                f"{folder}: another `talkvid models fetch` is at work here; wait until it has ended"
            ) from error
        yield
