"""The card of a packed data set: a head that the hub and `datasets` read, how to load it, what is in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from talkvid.curation.data_card import LARGEST_SIZE, SIZES, card_body, language_codes
from talkvid.curation.pack_rows import Columns
from talkvid.curation.pack_settings import PackConfig
from talkvid.curation.pack_split import TRAIN, Split
from talkvid.curation.report_numbers import distributions
from talkvid.curation.report_table import RunTable

MEANINGS = {
    "video": "the clip: H.264 and AAC in mp4, as {bytes, path}",
    "id": "readable name, unique here",
    "clip_id": "made of video and span alone, the same in every run",
    "video_id": "the original video",
    "person_id": "who is shown, where somebody told",
    "language": "spoken, where somebody told",
    "description": "as the source list tells, else the caption that was made",
    "transcript": "what is said, where it was written down",
    "license": "of this clip",
    "fps": "pictures per second",
    "duration": "seconds",
    "start_time": "in the original video, seconds from its first picture",
    "end_time": "end of the last picture, in the same seconds",
    "num_frames": "pictures of the clip",
    "width": "pixels",
    "height": "pixels",
    "start_frame": "number of the first picture in the original, from 0",
    "has_audio": "whether there is sound",
    "video_link": "address of the original",
    "video_category": "as the source list tells",
    "sha256": "of the clip's file",
}
SCORED = "score of the stage before the first _"


@dataclass(frozen=True)
class SplitSize:
    """What a split holds."""

    num_examples: int
    num_bytes: int
    """Of values and videos, before Parquet."""
    seconds: float
    file_bytes: int
    num_files: int


def pack_card(
    run_folder: Path,
    *,
    name: str,
    config: PackConfig,
    columns: Columns,
    splits: Mapping[str, SplitSize],
    split: Split,
) -> str:
    """Return the card in Markdown with its YAML head."""
    table = RunTable(run_folder)
    head = _head(name, config, columns, splits, language_codes(distributions(table)))
    rows = [
        f"| {key} | {size.num_examples} | {size.seconds / 3600:.3f} | {size.num_files} | "
        f"{size.file_bytes / 1e6:.1f} |"
        for key, size in splits.items()
    ]
    lines = [
        f"# {' '.join(name.split())}",
        "",
        "> Before publishing, the owner of the videos sees to the licence above and fills in where they "
        "come from, the consent of the persons shown, and a contact for removal.",
        "",
        "```python",
        "from datasets import load_dataset",
        "",
        f'clips = load_dataset("THIS_FOLDER_OR_ID", split="{TRAIN}", streaming=True)',
        "```",
        "",
        *_video_lines(columns),
        *("| split | clips | hours | files | MB |", "|---|---:|---:|---:|---:|", *rows, ""),
        _split_line(split, splits),
        "",
        "## Columns",
        "",
        *("| column | type | meaning |", "|---|---|---|"),
        *(f"| `{key}` | {kind} | {MEANINGS.get(key, SCORED)} |" for key, kind in columns.items()),
        "",
        *card_body(table),
    ]
    return f"---\n{head}\n---\n\n" + "\n".join(lines) + "\n"


def _video_lines(columns: Columns) -> list[str]:
    if "video" not in columns:
        return [
            "Without the clips: `video_link`, `start_time` and `end_time` say where they are.",
            "",
        ]
    return [
        "`datasets` decodes the column `video` with torchcodec; "
        '`clips.cast_column("video", datasets.Video(decode=False))` hands out the bytes of the mp4.',
        "",
    ]


def _split_line(split: Split, splits: Mapping[str, SplitSize]) -> str:
    if len(splits) < 2:
        return "There is one split."
    told = "No person and no video is in both splits"
    if split.num_without_person:
        told += f", as far as known: of {split.num_without_person} clips nobody has told the person"
    return f"{told}."


def _head(
    name: str,
    config: PackConfig,
    columns: Columns,
    splits: Mapping[str, SplitSize],
    languages: list[str],
) -> str:
    from huggingface_hub import DatasetCardData

    count = sum(size.num_examples for size in splits.values())
    data = DatasetCardData(
        pretty_name=" ".join(name.split()),
        license=config.license or "unknown",
        language=languages or None,
        task_categories=["image-to-video"],
        tags=["talking-head", "audio-driven", "video", "talkvid"],
        size_categories=[next((size for most, size in SIZES if count < most), LARGEST_SIZE)],
        configs=[
            {
                "config_name": "default",
                "data_files": [{"split": key, "path": f"data/{key}-*.parquet"} for key in splits],
            }
        ],
        dataset_info={
            "features": [{"name": key, "dtype": kind} for key, kind in columns.items()],
            "splits": [
                {"name": key, "num_bytes": size.num_bytes, "num_examples": size.num_examples}
                for key, size in splits.items()
            ],
            "download_size": sum(size.file_bytes for size in splits.values()),
            "dataset_size": sum(size.num_bytes for size in splits.values()),
        },
    )
    return str(data.to_yaml())
