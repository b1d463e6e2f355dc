"""One file from the web into its place: by range, checked, and only then under its name."""

import contextlib
import logging
import os
import shutil
import time
import zipfile
from pathlib import Path

from talkvid.catalogue.presence import PART, Note, write_note
from talkvid.catalogue.record import ModelFile, ModelRecord, ZipMember
from talkvid.cli.model_store.content import Sums, sums
from talkvid.cli.model_store.progress import Progress
from talkvid.cli.model_store.room import require_room
from talkvid.cli.model_store.source import Wanted, forbidden
from talkvid.cli.model_store.structure import check_structure
from talkvid.fetching.errors import FetchError
from talkvid.fetching.http_file import HttpSettings, Watch, fetch_http
from talkvid.files import atomic_path, make_parent

ARCHIVES = ".archives"
"""In the models' folder: zip files while they are being fetched."""

logger = logging.getLogger(__name__)


def bring(record: ModelRecord, entry: Wanted, folder: Path, *, settings: HttpSettings) -> Path:
    """Return the file's place below `folder` when it lies there with the content it must have.

    What has come stays beside it as `.part` when the connection ends, and the next call goes on there.
    ValueError for another content, of which nothing is kept; FetchError when it does not come.
    """
    target = folder / entry.file.place
    part = _fetched(entry, target, settings=settings)
    by, found = entry.by, sums(part)
    if entry.sha256 or entry.git_sha1:
        _check_sums(entry, part, found)
    else:
        try:
            what = check_structure(part, entry.file, folder, name=entry.file.name)
        except ValueError:
            _forget(part)
            raise
        by = "structure"
        logger.warning(
            "%s: nobody states a checksum for it; only its structure was checked (%s)", record.name, what
        )
    if not entry.file.sha256 and by == "server":
        logger.info("%s: no recorded checksum, so the one that the server states was checked", target)
    os.replace(part, target)
    _forget(part)
    note(target, folder, entry.file.place, sha256=found.sha256, by=by, source=entry.source)
    return target


def bring_members(entries: list[Wanted], folder: Path, settings: HttpSettings) -> None:
    """Fetch the zip file that these files are members of, once, and put each into its place."""
    source = entries[0].file.source
    assert isinstance(source, ZipMember)
    packed = whole(source)
    part = _fetched(packed, folder / packed.file.place, settings=settings)
    _check_sums(packed, part, sums(part))
    with zipfile.ZipFile(part) as archive_file:
        for entry in entries:
            extract(archive_file, entry.file, folder, source=entry.source)
    _forget(part)
    with contextlib.suppress(OSError):  # another one may still be there
        part.parent.rmdir()


def whole(source: ZipMember) -> Wanted:
    """Return how the zip file of a member is asked for."""
    archive = ModelFile(f"{ARCHIVES}/{source.sha256[:16]}.zip", source, source.size, source.sha256)
    return Wanted(archive, source.url, source.size, source.sha256, by="catalogue", source=source.url)


def still_to_come(entry: Wanted, folder: Path) -> int | None:
    """Return how many bytes of a file are not here yet, None where its size is not known."""
    place = folder / entry.file.place
    part = place.with_name(place.name + PART)
    begun = part.stat().st_size if part.is_file() else 0
    return None if entry.size is None else max(0, entry.size - begun)


def extract(archive: zipfile.ZipFile, file: ModelFile, folder: Path, *, source: str) -> None:
    """Put one member of an open zip file into its place; ValueError where it is missing or another content.

    Only the member of exactly that name is read, and it goes where the catalogue says, whatever the zip says.
    """
    name = file.source.member if isinstance(file.source, ZipMember) else file.name
    found = next((info for info in archive.infolist() if info.filename.split("/")[-1] == name), None)
    if found is None:
        raise ValueError(f"{archive.filename}: holds no {name}")
    if file.size is not None and found.file_size != file.size:
        raise ValueError(f"{archive.filename}: {name} has {found.file_size} bytes, not {file.size}")
    target = folder / file.place
    with atomic_path(target) as temporary:
        with archive.open(found) as stream, temporary.open("wb") as out:
            shutil.copyfileobj(stream, out)
        found_sha256 = sums(temporary).sha256
        _require(file.sha256, found_sha256, f"{name} in {archive.filename}")
    note(target, folder, file.place, sha256=found_sha256, by="catalogue", source=source)


def _fetched(entry: Wanted, target: Path, *, settings: HttpSettings) -> Path:
    """Return the part beside `target` that holds all bytes."""
    make_parent(target)
    part = target.with_name(target.name + PART)
    with Progress(entry.file.name) as progress:

        def begins(begin: int, total: int | None) -> None:
            if entry.size is not None and total is not None and total != entry.size:
                raise ValueError(
                    f"{entry.address}: {total} bytes are offered where {entry.size} belong; nothing was kept"
                )
            require_room(target.parent, (total or entry.size or 0) - begin)
            progress.begin(begin, total)

        try:
            fetch_http(
                entry.address,
                part,
                settings=settings,
                headers=entry.headers,
                watch=Watch(begins=begins, comes=progress.advance),
                sleep=time.sleep,
            )
        except FetchError as error:
            raise _explained(error, entry, part) from error
    return part


def _explained(error: FetchError, entry: Wanted, part: Path) -> FetchError:
    if entry.hub and error.kind == "forbidden":
        return FetchError(error.kind, forbidden(entry.hub, str(error)))
    kept = f"; {part.stat().st_size} bytes are kept in {part}, try again" if part.is_file() else ""
    if error.kind == "not_found":
        kept = "; it is no longer there: name another address with --url, or import the file"
    return FetchError(error.kind, f"{entry.address} cannot be fetched: {error}{kept}")


def _check_sums(entry: Wanted, part: Path, found: Sums) -> None:
    """Return when the content is the wanted one; else remove it and raise ValueError."""
    try:
        if entry.sha256:
            _require(entry.sha256, found.sha256, entry.address, by=entry.by)
        elif entry.git_sha1 != found.git_sha1:
            raise ValueError(f"{entry.address}: what came is not what the server states; try again later")
    except ValueError:
        _forget(part)
        raise


def _require(expected: str, found: str, what: str, *, by: str = "catalogue") -> None:
    if found == expected.lower():
        return
    if by == "server":
        raise ValueError(f"{what}: what came has the checksum {found}, the server states {expected}")
    told = "as recorded" if by == "catalogue" else "as you said"
    raise ValueError(
        f"{what}: the checksum is {found}, not {expected} {told}; nothing was kept; "
        f"if you trust the file say --sha256 {found}"
    )


def note(target: Path, folder: Path, place: str, *, sha256: str, by: str, source: str) -> None:
    """Write down what the file at a place was found to be."""
    told = target.stat()
    write_note(folder, place, Note(told.st_size, told.st_mtime_ns, sha256, by, source))


def _forget(part: Path) -> None:
    """Remove a part and its notes."""
    part.unlink(missing_ok=True)
    part.with_name(part.name + ".json").unlink(missing_ok=True)
