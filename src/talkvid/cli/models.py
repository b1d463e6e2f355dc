"""List, fetch, import and verify the models this project can use, or export a trained checkpoint."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from talkvid.catalogue.table import MODEL_FOLDER, MODELS, SETS, expand
from talkvid.fetching.http_file import HttpSettings

ACTIONS = ("list", "fetch", "import", "verify", "export")
OF_ACTION: Mapping[str, tuple[str, ...]] = {
    "json": ("list",),
    "accept_licence": ("fetch",),
    "list": ("fetch",),
    "url": ("fetch",),
    "sha256": ("fetch", "import"),
    "commercial_safe": ("list", "fetch", "import"),
    "source": ("import",),
    "link": ("import",),
    "replace": ("import",),
    "checkpoint": ("export",),
    "output": ("export",),
    "push_to_hub": ("export",),
    "private": ("export",),
    "step": ("export",),
    "lora": ("export",),
}
"""Setting -> actions it belongs to; elsewhere it would be left aside without a word."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    parser.add_argument(
        "action", nargs="?", choices=ACTIONS, default="list",
        help="list what there is (the default), fetch, import from a folder, verify, export a checkpoint",
    )  # fmt: skip
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"models by name, or several at once: {', '.join(SETS)}"
    )
    parser.add_argument(
        "--folder", type=Path, default=MODEL_FOLDER, help=f"where the models lie ({MODEL_FOLDER})"
    )
    parser.add_argument(
        "--commercial_safe", "--commercial-safe", action="store_true",
        help="list: only models whose licence allows commercial use; fetch, import: refuse all others",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="list: print JSON")
    _add_fetch(parser.add_argument_group("fetch"))
    _add_import(parser.add_argument_group("import"))
    _add_export(parser.add_argument_group("export"))


def _add_fetch(group: Any) -> None:
    group.add_argument(
        "--accept_licence", "--accept-licence", action="store_true",
        help="agree to the licences shown; without it a terminal asks, and anything else is refused",
    )  # fmt: skip
    group.add_argument("--list", action="store_true", help="show licences and places, and fetch nothing")
    group.add_argument("--url", help="another address of a model of one file")
    group.add_argument("--sha256", help="the checksum that this file must have, instead of the recorded one")


def _add_import(group: Any) -> None:
    group.add_argument(
        "--from", dest="source", type=Path, metavar="PATH", help="folder (searched), file or zip file"
    )
    group.add_argument("--link", action="store_true", help="make links to the files instead of copies")
    group.add_argument("--replace", action="store_true", help="replace what is there with another content")


def _add_export(group: Any) -> None:
    group.add_argument(
        "--checkpoint", help="run folder (exp/NAME/stage_N), checkpoint folder or hub id to export"
    )
    group.add_argument("--output", type=Path, help="new folder of the export")
    group.add_argument(
        "--push_to_hub", metavar="OWNER/NAME",
        help="put the export onto the Hugging Face hub (OWNER/NAME@BRANCH); HF_TOKEN or `hf auth login`",
    )  # fmt: skip
    group.add_argument("--private", action="store_true", help="make a new repository there a private one")
    group.add_argument(
        "--layout", choices=("talkvid", "v-express"), default="talkvid",
        help="config.json with safetensors, or the five .bin files of the V-Express release (talkvid)",
    )  # fmt: skip
    group.add_argument(
        "--dtype", choices=("fp16", "bf16", "fp32"), default="fp32", help="type of the stored weights (fp32)"
    )
    group.add_argument("--step", type=int, help="step of a run (its last complete one)")
    group.add_argument("--lora", type=Path, help="lora-<step>.safetensors to add to the weights")


def run(args: argparse.Namespace) -> int:
    """Return 0 when the action did all it was asked for, 1 when files are missing or wrong."""
    for name, actions in OF_ACTION.items():
        if getattr(args, name) and args.action not in actions:
            flag = "from" if name == "source" else name
            raise ValueError(
                f"--{flag} belongs to `talkvid models {' or '.join(actions)}`, not {args.action}"
            )
    if args.action == "export":
        if args.names:
            raise ValueError(f"export takes --checkpoint and --output, not {args.names[0]!r}")
        from talkvid.cli.model_store.export import export

        return export(args)
    if args.action == "fetch":
        from talkvid.cli.model_store.fetch import fetch

        return fetch(args, settings=HttpSettings())
    if args.action == "import":
        from talkvid.cli.model_store.bring_in import bring_in

        return bring_in(args)
    if args.action == "verify":
        from talkvid.cli.model_store.verify import verify

        return verify(args)
    from talkvid.cli.model_store.listing import listed

    records = expand(args.names, with_needs=False) if args.names else list(MODELS.values())
    if args.commercial_safe:
        records = [record for record in records if record.licence.commercial]
    return listed(records, args.folder, as_json=args.json)
