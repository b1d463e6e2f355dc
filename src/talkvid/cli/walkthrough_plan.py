"""The steps of the walk-through: what each does, the commands as one would type them, what they make."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = Path("test_samples") / "short_case"
CONFIGS = Path("src") / "configs" / "mini"
PORTRAITS = {"astronaut": "ref.png", "hopper": "ref.jpg"}
SENTENCES = {"english": "astronaut", "french": "hopper"}
TRAINED = (("astronaut", "english"), ("hopper", "french"))
HELD_OUT = (("astronaut", "french"), ("hopper", "english"))
HAND_HELD = "crop=448:448:32+28*sin(1.1*t):32+18*sin(0.7*t)"
"""A slow sway of the camera, for the motion stage takes a head that hardly moves for a still picture."""
BROKEN_BYTES = 60_000
TRAINING = "walkthrough"
SIZE, FPS = 128, 25
SOURCES, VIDEOS, CURATED, DATA, EXP, MADE, SCORES = (
    "1_sources", "2_videos", "3_curated", "4_data", "5_training", "6_generated", "7_evaluation",
)  # fmt: skip

MEASURES = ("mel", "lips", "ssim", "sharpness", "faces")
"""A few, for time; `talkvid evaluate` without --metrics takes all that need no download."""

Command = tuple[str, ...]


@dataclass(frozen=True)
class Settings:
    """What may be chosen."""

    steps: tuple[int, int, int] = (60, 16, 16)
    """Of training, in stages 1 to 3."""
    denoising_steps: int = 8
    """Of the trained checkpoint's videos."""
    workers: int = 2

    def __post_init__(self) -> None:
        if min(*self.steps, self.denoising_steps, self.workers) < 1:
            raise ValueError(f"steps and workers must be 1 or more, got {self}")


@dataclass(frozen=True)
class Step:
    """One step; all it makes lies in its folder, so that it can be made anew."""

    folder: str
    """Below the output; also the step's name."""
    title: str
    says: str
    commands: tuple[Command, ...]
    files: Callable[[Path], None] | None = None
    """Writes what the commands read, given the output folder."""

    @property
    def name(self) -> str:
        """Return the folder without its number."""
        return self.folder.partition("_")[2]


def plan(out: Path, settings: Settings) -> tuple[Step, ...]:
    """Return the steps in order; paths in the commands start in the repository's root, or are absolute."""
    return (
        _sources(out),
        _videos(out),
        _curate(out, settings),
        _prepare(out, settings),
        _train(out, settings),
        _generate(out, settings),
        _evaluate(out, settings),
    )


def video_name(pair: tuple[str, str]) -> str:
    """Return the file name of a portrait speaking a sentence."""
    return f"{pair[0]}_{pair[1]}.mp4"


def _sources(out: Path) -> Step:
    def write(folder: Path) -> None:
        for name, pairs, seed in (("train", TRAINED, 1), ("held_out", HELD_OUT, 11)):
            write_manifest(folder / SOURCES / f"{name}.jsonl", pairs, name=name, seed=seed)

    commands = [
        ("talkvid", "generate", "--manifest", str(out / SOURCES / f"{name}.jsonl"))
        for name in ("train", "held_out")
    ]
    return Step(
        SOURCES,
        "Videos to begin with",
        "The embedded model makes four videos of the two public-domain portraits and the two synthetic "
        "sentences of test_samples. Two are raw material for a data set. The other two, each person with the "
        "other one's sentence, are held out: nothing learns from them, they are the truth of step 7.",
        tuple(commands),
        write,
    )


def _videos(out: Path) -> Step:
    made = [str(out / SOURCES / "train" / video_name(pair)) for pair in TRAINED]
    place = out / VIDEOS
    film = str(place / "film.mp4")
    joined = f"[0:v][0:a][1:v][1:a]concat=n=2:v=1:a=1[v][a];[v]{HAND_HELD}[o]"
    hopper = SAMPLES / "hopper"
    commands = (
        ("ffmpeg", "-i", made[0], "-i", made[1], "-filter_complex", joined,
         "-map", "[o]", "-map", "[a]", "-crf", "16", film),
        ("ffmpeg", "-i", film, "-vf", "scale=320:320", "-crf", "34", str(place / "copy.mp4")),
        ("ffmpeg", "-i", made[0], "-vf", "gblur=sigma=6", "-c:a", "copy", str(place / "blurred.mp4")),
        ("ffmpeg", "-i", made[1], "-t", "1", str(place / "short.mp4")),
        ("ffmpeg", "-loop", "1", "-i", str(hopper / PORTRAITS["hopper"]), "-i", str(hopper / "aud.wav"),
         "-shortest", "-r", str(FPS), "-pix_fmt", "yuv420p", str(place / "still.mp4")),
    )  # fmt: skip
    return Step(
        VIDEOS,
        "A folder as it might come from anywhere",
        "One film with a cut between two people and a camera that sways; a smaller, coarser copy of it; "
        "a blurred video; one that is too short; a still picture with sound; and a file that was cut off.",
        commands,
        write_broken,
    )


def _curate(out: Path, settings: Settings) -> Step:
    run = str(out / CURATED)
    return Step(
        CURATED,
        "Curate",
        "Cuts are found, every take is looked at once (head, picture quality, motion), duplicates are found "
        "among what is left. Every take and every file ends as kept, rejected or failed, with the reason.",
        (
            ("talkvid", "curate", "run", str(out / VIDEOS), "-o", run, "--workers", str(settings.workers)),
            ("talkvid", "curate", "annotate", run, "annotate.reject_duplicates=true"),
            ("talkvid", "curate", "report", run),
            ("talkvid", "curate", "materialise", run),
        ),
    )


def _prepare(out: Path, settings: Settings) -> Step:
    listed = str(out / DATA / f"{TRAINING}.json")
    paths = str(out / CURATED / "exports" / "talkvid_paths.json")
    return Step(
        DATA,
        "Prepare",
        f"The kept clips become square crops of {SIZE} px, a face record for every frame and features of the "
        "sound; then the list of samples is checked for faults.",
        (
            ("talkvid", "preprocess", "--input_list", paths, "--output_dir", str(out / DATA),
             "--name", TRAINING, "--size", str(SIZE), "--fps", str(FPS), "--speech_encoder", "log-mel",
             "--workers", str(settings.workers)),
            ("talkvid", "preprocess", "--check", listed),
        ),
    )  # fmt: skip


def _train(out: Path, settings: Settings) -> Step:
    def command(stage: int, steps: int) -> Command:
        return (
            "talkvid", "train", "--config", str(CONFIGS / f"stage_{stage}.yaml"),
            f"run.train={TRAINING}", f"run.output_root={out / EXP}", f"run.max_steps={steps}",
            f"run.save_every={steps}", "run.resume=true", "run.trackers=[]",
            f"data.meta_paths=[{out / DATA / TRAINING}.json]", "data.languages=[]",
        )  # fmt: skip

    return Step(
        EXP,
        "Train",
        "The three stages at laptop size (6 M parameters), each starting from the one before. So few steps "
        "on two clips make noise in the portrait's colours: this shows that the way is open, not its end.",
        tuple(command(stage, steps) for stage, steps in enumerate(settings.steps, start=1)),
    )


def _generate(out: Path, settings: Settings) -> Step:
    def write(folder: Path) -> None:
        for name, seed in (("embedded", 21), ("trained", 31)):
            write_manifest(folder / MADE / f"{name}.jsonl", HELD_OUT, name=name, seed=seed)

    trained = (
        "--checkpoint_path", str(out / EXP / TRAINING / "stage_3"),
        "--sampler", "unipc", "--num_inference_steps", str(settings.denoising_steps),
    )  # fmt: skip
    return Step(
        MADE,
        "Generate",
        "The two held-out pairs of portrait and sentence, by the embedded model (with another seed than in "
        "step 1) and by the checkpoint of step 5.",
        (
            ("talkvid", "generate", "--manifest", str(out / MADE / "embedded.jsonl")),
            ("talkvid", "generate", "--manifest", str(out / MADE / "trained.jsonl"), *trained),
        ),
        write,
    )


def _evaluate(out: Path, settings: Settings) -> Step:
    rows = [f"{name}={out / MADE / name}" for name in ("embedded", "trained")]
    return Step(
        SCORES,
        "Evaluate",
        "Both are scored against the held-out videos, with the truth and what must score below it beside "
        "them. That truth was made by the embedded model itself, so its row says how far a second take of "
        "the same model lies from the first, and nothing of how good it is.",
        (
            ("talkvid", "evaluate", "--generated", *rows, "--reference", str(out / SOURCES / "held_out"),
             "-o", str(out / SCORES), "--workers", str(settings.workers), "--metrics", *MEASURES),
        ),
    )  # fmt: skip


def write_manifest(target: Path, pairs: tuple[tuple[str, str], ...], *, name: str, seed: int) -> None:
    """Write the list of videos for `talkvid generate --manifest`; they go into folder `name` beside it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, (portrait, sentence) in enumerate(pairs):
        samples = Path(os.path.relpath(ROOT / SAMPLES, target.parent))
        line = {
            "reference_image": str(samples / portrait / PORTRAITS[portrait]),
            "audio": str(samples / SENTENCES[sentence] / "aud.wav"),
            "output": str(Path(name) / video_name((portrait, sentence))),
            "seed": seed + number,
        }
        lines.append(json.dumps(line) + "\n")
    target.write_text("".join(lines), encoding="utf-8")


def write_broken(out: Path) -> None:
    """Write the beginning of a video, as an interrupted download leaves it."""
    whole = (out / SOURCES / "train" / video_name(TRAINED[1])).read_bytes()
    target = out / VIDEOS / "broken.mp4"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(whole[:BROKEN_BYTES])
