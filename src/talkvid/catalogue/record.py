"""The nouns of the catalogue: a licence, where a file comes from, a file, a model."""

from dataclasses import dataclass, field
from pathlib import PurePosixPath

HUB = "https://huggingface.co"


@dataclass(frozen=True)
class Licence:
    """Under which terms weights may be used."""

    name: str
    link: str
    """Where the terms stand, or where their author states them."""
    commercial: bool | None
    """Whether they allow commercial use; None where nobody states it, which counts as no."""
    note: str = ""
    """What else a user should know, one clause."""
    conditions: bool = False
    """Whether commercial use is allowed under restrictions of use that one has to agree to."""

    @property
    def needs_acceptance(self) -> bool:
        """Return whether the user is asked before anything is fetched."""
        return self.commercial is not True or self.conditions

    @property
    def told(self) -> str:
        """Return the licence in one line: its name, commercial use, the note."""
        use = {True: "commercial use allowed", False: "no commercial use", None: "commercial use not stated"}
        restricted = ", with restrictions of use" if self.conditions else ""
        return f"{self.name} ({use[self.commercial]}{restricted})" + (f"; {self.note}" if self.note else "")


@dataclass(frozen=True)
class HubFile:
    """A file of a repository on the Hugging Face hub."""

    repository: str
    path: str
    revision: str = "main"

    @property
    def told(self) -> str:
        """Return the address people can open."""
        return f"{HUB}/{self.repository}/blob/{self.revision}/{self.path}"


@dataclass(frozen=True)
class WebFile:
    """A file at an address."""

    url: str

    @property
    def told(self) -> str:
        """Return the address."""
        return self.url


@dataclass(frozen=True)
class ZipMember:
    """A file inside a zip file at an address; the zip file is fetched once for all its members."""

    url: str
    member: str
    size: int
    sha256: str

    @property
    def told(self) -> str:
        """Return the address of the zip file and the name inside."""
        return f"{self.url} ({self.member})"


Source = HubFile | WebFile | ZipMember


@dataclass(frozen=True)
class ModelFile:
    """One file of a model."""

    place: str
    """Where it lies below the models' folder, with forward slashes."""
    source: Source | None
    """None: nothing fetches it, the user has it."""
    size: int | None = None
    """Bytes, where known for certain."""
    sha256: str = ""
    """Of the content, where known for certain; empty: what the server states is checked and recorded."""
    network: str = ""
    """The network of ours that its tensors must fit name by name, such as `denoising_unet`."""
    instead: tuple["ModelFile", ...] = ()
    """Other forms of the same weights that serve as well; none of them is fetched."""

    def __post_init__(self) -> None:
        path = PurePosixPath(self.place)
        assert not path.is_absolute() and ".." not in path.parts and path.parts, self.place

    @property
    def name(self) -> str:
        """Return the file's name without its folder."""
        return PurePosixPath(self.place).name

    @property
    def is_settings(self) -> bool:
        """Return whether it holds settings, which a copy made by another program may write otherwise."""
        return self.place.endswith(".json")

    @property
    def forms(self) -> tuple["ModelFile", ...]:
        """Return this file and those that serve instead of it."""
        return (self, *self.instead)


@dataclass(frozen=True)
class ModelRecord:
    """One model."""

    name: str
    """What `talkvid models` calls it."""
    title: str
    purpose: str
    """What it is for, a few words."""
    used_by: tuple[str, ...]
    """Flags and settings that take it, each as the user writes it."""
    licence: Licence
    files: tuple[ModelFile, ...] = ()
    needs: tuple[str, ...] = ()
    """Names of models without which it does not work; they are fetched with it."""
    embedded: bool = False
    """It comes with the package or one of its dependencies, and nothing has to be fetched."""
    next_step: str = ""
    """Command that makes a usable file of what was fetched."""
    aliases: tuple[str, ...] = field(default=())

    @property
    def size(self) -> int | None:
        """Return the bytes of all files, None where one is not known for certain."""
        sizes = [file.size for file in self.files]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    @property
    def fetchable(self) -> bool:
        """Return whether `talkvid models fetch` can bring it."""
        return bool(self.files) and all(file.source is not None for file in self.files)

    @property
    def fetch_command(self) -> str:
        """Return the command that fetches it."""
        return f"talkvid models fetch {self.name}"

    @property
    def hub_ids(self) -> frozenset[str]:
        """Return the repositories on the hub that its files come from."""
        return frozenset(file.source.repository for file in self.files if isinstance(file.source, HubFile))
