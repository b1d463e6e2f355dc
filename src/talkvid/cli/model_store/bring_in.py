"""`talkvid models import`: files the user has already, found by name, checked, put into their places."""

import argparse
import os
import shutil
import sys
import zipfile
from pathlib import Path, PurePosixPath

from talkvid.catalogue.commercial import refuse
from talkvid.catalogue.presence import look, read_notes
from talkvid.catalogue.record import ModelFile, ModelRecord
from talkvid.catalogue.table import expand
from talkvid.cli.model_store.bring import extract, note
from talkvid.cli.model_store.content import sums
from talkvid.cli.model_store.room import require_room
from talkvid.cli.model_store.structure import check_structure
from talkvid.files import atomic_path, make_parent


def bring_in(args: argparse.Namespace) -> int:
    """Return 0 when every file of the models lies in its place, 1 when some were not found or were refused.

    A file of another content than recorded is refused, and one whose place is taken by another file; each is
    told in a line, and the others are imported.
    """
    if not args.names or args.source is None:
        raise ValueError("say what and from where: talkvid models import NAME --from FOLDER_OR_FILE")
    if not args.source.exists():
        raise FileNotFoundError(f"{args.source}: no such file or folder; give --from what you have")
    records = expand(args.names, with_needs=False)
    if args.commercial_safe:
        refuse((record.name for record in records), remedy="leave it out, nothing was imported")
    for record in records:
        if record.embedded:
            raise ValueError(f"{record.name} comes with the package; there is nothing to import")
        sys.stdout.write(f"{record.name}: licence: {record.licence.told}: {record.licence.link}\n")
    complete = [_import(record, args) for record in records]
    sys.stdout.write(f"{args.folder}\n")
    return 0 if all(complete) else 1


def _import(record: ModelRecord, args: argparse.Namespace) -> bool:
    """Return whether all files of a model are in their places and none was refused."""
    refused: list[str] = []
    packed = args.source.suffix == ".zip" and zipfile.is_zipfile(args.source)
    for file in record.files:
        try:
            if packed:
                _from_zip(file, args.source, args.folder)
                continue
            found = find_file(args.source, file, only=len(record.files) == 1, sha256=args.sha256)
            if found is not None:
                _place(*found, args)
        except ValueError as error:
            refused.append(file.place)
            sys.stdout.write(f"{file.place}: not imported: {error}\n")
    for state in look(record, args.folder).files:
        if state.status in ("there", "verified"):
            sys.stdout.write(f"{state.path}\n")
        elif state.file.place not in refused:
            refused.append(state.file.place)
            sys.stdout.write(f"{state.file.place}: not found in {args.source}\n")
    return not refused


def _from_zip(file: ModelFile, source: Path, folder: Path) -> None:
    require_room(folder, file.size or 0)
    with zipfile.ZipFile(source) as archive:
        if file.name in {PurePosixPath(name).name for name in archive.namelist()}:
            extract(archive, file, folder, source=str(source.resolve()))


def find_file(
    source: Path, file: ModelFile, *, only: bool = False, sha256: str | None = None
) -> tuple[Path, ModelFile] | None:
    """Return where a file, or a form that serves instead, lies in `source`, and which form it is.

    `only` says that it is its model's one file, so that a given file may be called anything. Of several of
    one name that with the recorded size, and then the one whose folders are named most like its place, is
    taken; ValueError where that leaves two.
    """
    if source.is_file():
        named = [form for form in file.forms if form.name == source.name]
        return (source, named[0]) if named else (source, file) if only else None
    for form in file.forms:
        places = [place for place in sorted(source.rglob(form.name)) if place.is_file()]
        if form.size is not None and sha256 is None:
            places = [place for place in places if place.stat().st_size == form.size] or places
        likeness = [_likeness(place, form) for place in places]
        best = [place for place, like in zip(places, likeness, strict=True) if like == max(likeness)]
        if len(best) > 1:
            raise ValueError(
                f"{source}: {form.name} lies there more than once ({best[0]}, {best[1]}); "
                "give the folder that holds the right one"
            )
        if best:
            return best[0], form
    return None


def _likeness(path: Path, file: ModelFile) -> int:
    """Return how many parts at the end of a path are those of the file's place."""
    pairs = zip(reversed(path.absolute().parts), reversed(PurePosixPath(file.place).parts), strict=False)
    count = 0
    for one, other in pairs:
        if one != other:
            break
        count += 1
    return count


def _place(source: Path, file: ModelFile, args: argparse.Namespace) -> None:
    target: Path = args.folder / file.place
    found = sums(source).sha256
    by = _vouched(source, file, found, args)
    if target.exists() and target.samefile(source):
        note(target, args.folder, file.place, sha256=found, by=by, source=str(source))
        return
    if target.exists() and not args.replace:
        known = read_notes(args.folder).get(file.place)
        if (known.sha256 if known else sums(target).sha256) == found:
            return
        raise ValueError(f"{target}: is there already with another content; say --replace")
    if not args.link:
        require_room(args.folder, source.stat().st_size)
        with atomic_path(target) as temporary:
            shutil.copyfile(source, temporary)
    else:
        _link(target, source.resolve())
    note(target, args.folder, file.place, sha256=found, by=by, source=str(source.resolve()))


def _link(target: Path, source: Path) -> None:
    """Make `target` a link to `source`, in one step, whatever was there."""
    make_parent(target)
    temporary = target.with_name(f".{target.name}.link")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(source)
    os.replace(temporary, target)


def _vouched(source: Path, file: ModelFile, found: str, args: argparse.Namespace) -> str:
    """Return what vouches for the content; ValueError when it is not what it shall be."""
    expected = args.sha256 or file.sha256
    if not expected or (file.is_settings and found != expected.lower()):
        check_structure(source, file, args.folder, name=file.name)
        return "structure"
    if found != expected.lower():
        size = source.stat().st_size
        short = f" ({size} of {file.size} bytes)" if file.size is not None and size != file.size else ""
        raise ValueError(
            f"{source}: the checksum is {found}{short}, not {expected} as recorded; nothing was imported; "
            f"if you trust the file say --sha256 {found}"
        )
    return "--sha256" if args.sha256 else "catalogue"
