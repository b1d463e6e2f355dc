"""Checkpoints on the Hugging Face hub: fetched at one commit, only the files that are needed, and pushed.

Nothing of a repository is run: weights are read as tensors, configs as JSON, cards as text.
"""

import contextlib
import glob
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from talkvid.model.bundle_config import CONFIG_FILE, BundleConfig
from talkvid.model.hub_files import checkpoint_files

logger = logging.getLogger(__name__)

MAIN = "main"
_NAME = re.compile(r"([A-Za-z0-9][\w.-]*/[\w.-]+)(?:@([\w./-]+))?")
_SNAPSHOT = re.compile(r"/models--([\w.-]+?)--([\w.-]+)/snapshots/([0-9a-f]{40})$")
_TRIES = 3


def is_hub_name(text: str) -> bool:
    """Return whether the text is `owner/name` or `owner/name@revision` and its first part no folder here."""
    return bool(_NAME.fullmatch(text)) and not Path(text.partition("/")[0]).is_dir()


def split_hub_name(name: str, revision: str | None = None) -> tuple[str, str | None]:
    """Return (owner/name, revision) of `owner/name@revision`; ValueError where two revisions are told."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is no name on the hub; give owner/name or owner/name@revision")
    if match[2] and revision and match[2] != revision:
        raise ValueError(f"{name!r} and revision {revision!r} contradict each other; give one of them")
    return match[1], match[2] or revision


def hub_origin(folder: Path) -> str | None:
    """Return `owner/name@commit` of a folder in the hub's cache, None for any other."""
    match = _SNAPSHOT.search(folder.as_posix())
    return f"{match[1]}/{match[2]}@{match[3]}" if match else None


def fetch_checkpoint(
    name: str,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
    step: int | None = None,
) -> Path:
    """Return the folder in the hub's cache that holds the checkpoint `owner/name[@revision]`.

    Only the files that a checkpoint is read from are fetched, all of one commit; what is in the cache is not
    fetched again. Without a connection, or with `local_files_only` or HF_HUB_OFFLINE=1, the cache is all
    there is. `step` chooses among the exports of a training run. FileNotFoundError says why there is no
    such checkpoint; ValueError that the repository holds none.
    """
    repo, revision = split_hub_name(name, revision)
    if local_files_only:
        return _from_cache(repo, revision, cache_dir, why="local_files_only")
    with _told_plainly(repo, revision):
        try:
            return _from_hub(repo, revision, token, cache_dir, step)
        except Exception as error:
            if not _is_no_answer(error):
                raise
            return _from_cache(repo, revision, cache_dir, why=_first_line(error))


def _from_hub(
    repo: str, revision: str | None, token: str | bool | None, cache_dir: str | Path | None, step: int | None
) -> Path:
    from huggingface_hub import HfApi, hf_hub_download, snapshot_download

    where: dict[str, Any] = {"token": token, "cache_dir": cache_dir}
    for _ in range(_TRIES):
        info = HfApi(token=token).model_info(repo, revision=revision)
        names = [entry.rfilename for entry in info.siblings or []]
        config = None
        if CONFIG_FILE in names:
            config = BundleConfig.from_file(hf_hub_download(repo, CONFIG_FILE, revision=info.sha, **where))
        wanted = checkpoint_files(names, config, step=step)
        if not any(name.endswith((".safetensors", ".bin", ".pth")) for name in wanted):
            raise ValueError(f"{repo} on the hub holds no checkpoint: no {CONFIG_FILE} of ours, no networks")
        # Under the name of the branch, so that the cache knows later what the name meant.
        patterns = [glob.escape(name) for name in wanted]
        folder = Path(str(snapshot_download(repo, revision=revision, allow_patterns=patterns, **where)))
        if folder.name == info.sha:
            logger.info("checkpoint %s at commit %s: %d files", repo, info.sha, len(wanted))
            return folder
    raise FileNotFoundError(f"{repo} changed on the hub while it was fetched; try again, or name a revision")


def _from_cache(repo: str, revision: str | None, cache_dir: str | Path | None, *, why: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        # What else belongs to the checkpoint is looked for where it is read.
        told = snapshot_download(
            repo, revision=revision, cache_dir=cache_dir, local_files_only=True, allow_patterns=[CONFIG_FILE]
        )
    except FileNotFoundError as error:
        at = f" at {revision}" if revision else ""
        raise FileNotFoundError(
            f"checkpoint {repo}{at} is not in the cache of this machine and was not fetched ({why}); "
            "fetch it once with a connection, or give a folder"
        ) from error
    logger.info("checkpoint %s from the cache, commit %s (%s)", repo, Path(told).name, why)
    return Path(told)


@contextlib.contextmanager
def _told_plainly(repo: str, revision: str | None) -> Iterator[None]:
    """Turn what the hub's client raises into one sentence with a remedy."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except GatedRepoError as error:
        raise FileNotFoundError(
            f"checkpoint {repo}: its owner asks for consent first; accept on its page, then set HF_TOKEN"
        ) from error
    except RepositoryNotFoundError as error:
        raise FileNotFoundError(
            f"checkpoint {repo} is no folder here and no model that the hub shows you; check the name, "
            "and for a private one set HF_TOKEN or run `hf auth login`"
        ) from error
    except RevisionNotFoundError as error:
        raise FileNotFoundError(
            f"checkpoint {repo} has no revision {revision!r} on the hub; give a branch, a tag or a commit"
        ) from error
    except HFValidationError as error:
        raise ValueError(f"{repo!r} cannot be a name on the hub ({_first_line(error)})") from error
    except HfHubHTTPError as error:
        raise OSError(f"checkpoint {repo}: the hub refused ({_first_line(error)})") from error


def push_folder(
    folder: Path,
    repo: str,
    *,
    private: bool | None = None,
    token: str | None = None,
    branch: str | None = None,
    message: str,
) -> str:
    """Return the address of the commit that put the folder's files onto the hub, all of them in one.

    A repository that is not there is made, `private` or as the owner's account says. What lies there beside
    these files stays. OSError with one sentence when the hub says no.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    api = HfApi(token=token)
    try:
        made = api.create_repo(repo, private=private, exist_ok=True).repo_id
        if branch not in (None, MAIN):
            api.create_branch(made, branch=str(branch), exist_ok=True)
        done = api.upload_folder(
            repo_id=made, folder_path=folder, commit_message=message, revision=branch, run_as_future=False
        )
    except HFValidationError as error:
        raise ValueError(f"{repo!r} cannot be a name on the hub ({_first_line(error)})") from error
    except Exception as error:
        if _is_no_answer(error):
            raise OSError(
                f"{repo}: the hub cannot be reached ({_first_line(error)}); nothing was pushed"
            ) from error
        if not isinstance(error, HfHubHTTPError):
            raise
        code = error.response.status_code
        remedy = (
            "; set HF_TOKEN to a token that may write, or run `hf auth login`" if code in (401, 403) else ""
        )
        raise OSError(f"{repo}: the hub took nothing ({code}, {_first_line(error)}){remedy}") from error
    logger.info("pushed %s to %s", folder, done.commit_url)
    return str(done.commit_url)


def _is_no_answer(error: Exception) -> bool:
    """Return whether the hub could not be asked, as opposed to having said no.

    The client's errors of transport have another origin from version to version, but the same names.
    """
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, HfHubHTTPError):
        return error.response is not None and error.response.status_code >= 500
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return bool(kinds & {"ConnectionError", "TimeoutError", "TransportError", "LocalEntryNotFoundError"})


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
