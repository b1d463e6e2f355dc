"""`from_pretrained`, `save_pretrained` and `push_to_hub`, as users of the Hugging Face libraries know them.

Not huggingface_hub's ModelHubMixin: that one reads config.json into the arguments of the constructor, fetches
it apart from the weights (perhaps of another commit), and saves in place. Its other parts are used.
"""

import tempfile
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch

from talkvid.files import atomic_folder
from talkvid.model.hub import fetch_checkpoint, is_hub_name, push_folder

if TYPE_CHECKING:
    from talkvid.model.bundle import ModelBundle


class HubMixin:
    """What can be read from a folder or from the hub, and be written to both."""

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path | None = None,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        **options: Any,
    ) -> Self:
        """Return the model of a folder, or of `owner/name` on the hub at a branch, tag or commit.

        None is the embedded model. `owner/name@revision` is the same as `revision`; `token` is for private
        models (None: HF_TOKEN, or that of `hf auth login`). Only what is needed is fetched, and nothing that
        lies in the cache already; without a connection the cache is used. Raises FileNotFoundError or
        ValueError with one sentence.
        """
        if name is not None and not Path(name).is_dir() and is_hub_name(str(name)):
            name = fetch_checkpoint(
                str(name),
                revision=revision,
                token=token,
                cache_dir=cache_dir,
                local_files_only=local_files_only,
            )
        elif revision is not None:
            raise ValueError(f"revision {revision!r}: only models on the hub have revisions, not {name}")
        return cls._opened(name, **options)

    def save_pretrained(self, folder: str | Path, *, dtype: torch.dtype | None = None) -> Path:
        """Return the new folder of the model: config.json, one safetensors per network, card and notices.

        It appears whole or not at all, and holds no path of this machine. `dtype` converts the weights; None
        keeps them. Raises ValueError where the folder holds anything already.
        """
        from talkvid.model.hub_save import write_checkpoint

        with atomic_folder(folder) as temporary:
            write_checkpoint(self._to_save(), temporary, dtype=dtype)
        return Path(folder)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool | None = None,
        token: str | None = None,
        branch: str | None = None,
        commit_message: str | None = None,
        dtype: torch.dtype | None = None,
    ) -> str:
        """Return the address of the commit by which the model came to the hub, in one piece.

        A repository that is not there is made (`private`, or as the account says). Raises OSError with one
        sentence when the hub cannot be reached or says no.
        """
        from talkvid.model.hub_save import write_checkpoint

        bundle = self._to_save()
        with tempfile.TemporaryDirectory(prefix="talkvid-push-") as folder:
            write_checkpoint(bundle, Path(folder), dtype=dtype)
            return push_folder(
                Path(folder),
                repo_id,
                private=private,
                token=token,
                branch=branch,
                message=commit_message or f"Add {bundle.config.name}",
            )

    @classmethod
    @abstractmethod
    def _opened(cls, name: str | Path | None, **options: Any) -> Self:
        """Return the model of a folder."""

    @abstractmethod
    def _to_save(self) -> "ModelBundle":
        """Return the networks that are written."""
