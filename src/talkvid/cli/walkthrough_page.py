"""The page of the walk-through: every step with its commands, its time, what came out, and where it lies."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from talkvid.cli import walkthrough_plan as plan
from talkvid.cli.walkthrough_facts import decisions, loss_lines, score_rows
from talkvid.cli.walkthrough_pictures import strip
from talkvid.cli.walkthrough_plan import Step
from talkvid.cli.walkthrough_run import Journal
from talkvid.files import atomic_path
from talkvid.page.marks import Html, contents, document, join, name, plain, section, table, tag
from talkvid.page.style import BASE

PAGE = "index.html"
PICTURES = "page"
STYLE = (
    BASE
    + """
figure{margin:.7em 0 1.1em}
figure img{max-width:100%;height:auto;border-radius:6px;display:block;background:#fff}
figcaption{color:var(--soft);font-size:.88em}
td .name{white-space:nowrap}
.videos{display:flex;flex-wrap:wrap;gap:14px}.videos figure{margin:0;width:210px}.videos video{width:100%}
.state{font-weight:600}.kept{color:#1d8a63}.rejected{color:#b97a12}.failed{color:var(--alarm)}
"""
)


def write_page(out: Path, steps: Sequence[Step], journal: Journal, *, machine: str) -> Path:
    """Write `index.html` into the output folder and return its path; it tells the steps done so far."""
    done = [step for step in steps if journal.is_done(step)]
    seconds = sum(sum(journal.seconds(step)) for step in done)
    intro = (
        tag("h1", "From raw video to a score"),
        tag(
            "p",
            f"{len(done)} of {len(steps)} steps, {minutes(seconds)} by the clock on {machine}. Everything "
            "was made from the two public-domain portraits and the two synthetic sentences of test_samples; "
            "no person said these words. The commands can be typed in the repository's root.",
        ),
        contents([(step.name, step.title) for step in done]),
    )
    parts = [
        told(out, step, journal.seconds(step), number) for number, step in enumerate(steps, 1) if step in done
    ]
    page = out / PAGE
    with atomic_path(page) as temporary:
        temporary.write_text(
            document("TalkVid: from raw video to a score", STYLE, join([*intro, *parts])), encoding="utf-8"
        )
    return page


def minutes(seconds: float) -> str:
    """Return a time in words."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def told(out: Path, step: Step, seconds: Sequence[float], number: int) -> Html:
    """Return the section of one step."""
    shown = "\n".join(
        f"{shlex.join(command)}   # {minutes(taken)}"
        for command, taken in zip(step.commands, seconds, strict=False)
    )
    return section(
        step.name,
        f"{number}. {step.title}",
        tag("p", step.says),
        SHOWN[step.folder](out),
        tag("details", tag("summary", "Commands"), tag("pre", shown)),
    )


def _sources(out: Path) -> Html:
    made = [out / plan.SOURCES / "train" / plan.video_name(pair) for pair in plan.TRAINED]
    held = [out / plan.SOURCES / "held_out" / plan.video_name(pair) for pair in plan.HELD_OUT]
    return tag(
        "div",
        *(video(out, path, "raw material") for path in made),
        *(video(out, path, "held out") for path in held),
        class_="videos",
    )


def _videos(out: Path) -> Html:
    return join(
        picture(out, out / plan.VIDEOS / f"{stem}.mp4", said)
        for stem, said in (("film", "film.mp4: a cut in the middle"), ("blurred", "blurred.mp4"))
    )


def _curate(out: Path) -> Html:
    folder = out / plan.CURATED
    rows = [
        (name(one.clip), tag("span", one.state, class_=f"state {one.state}"), one.code, one.reason)
        for one in decisions(folder)
    ]
    return join(
        [
            table(("clip", "", "code", "why"), rows),
            figure(out, folder / "statistics" / "data_filter.png", "what each stage let pass"),
            links(out, ("all about every clip", folder / "report.html"),
                  ("the data set's card", folder / "statistics" / "dataset_card.md")),
        ]
    )  # fmt: skip


def _prepare(out: Path) -> Html:
    clips = sorted((out / plan.DATA / "videos").glob("*.mp4"))
    return join(picture(out, clip, f"{clip.name}: what the training sees") for clip in clips)


def _train(out: Path) -> Html:
    folder = out / plan.EXP / plan.TRAINING
    stages = sorted(folder.glob("stage_*"))
    rows = [(stage.name.replace("_", " "), *loss_lines(stage / "losses.csv")) for stage in stages]
    return join(
        [
            table(("", "steps", "loss, first tenth", "last tenth", "s per step"), rows, numbers=range(1, 5)),
            links(out, *((f"run folder of {stage.name}", stage / "index.html") for stage in stages)),
        ]
    )  # fmt: skip


def _generate(out: Path) -> Html:
    kinds = (
        ("truth", out / plan.SOURCES / "held_out"),
        ("embedded model", out / plan.MADE / "embedded"),
        ("checkpoint of step 5", out / plan.MADE / "trained"),
    )
    parts = [
        picture(out, folder / plan.video_name(pair), f"{said}: {plan.video_name(pair)}")
        for pair in plan.HELD_OUT
        for said, folder in kinds
    ]
    return join(parts)


def _evaluate(out: Path) -> Html:
    folder = out / plan.SCORES
    heads, scores, warnings = score_rows(folder / "summary.json")
    rows = [(name(row), *cells) for row, *cells in scores]
    return join(
        [
            table(("", *heads), rows, numbers=range(1, len(heads) + 1)),
            tag("details", tag("summary", f"{len(warnings)} warnings of the report"),
                join(tag("p", line, class_="warn") for line in warnings)),
            links(out, ("the whole report", folder / "report.html")),
        ]
    )  # fmt: skip


SHOWN: dict[str, Callable[[Path], Html]] = {
    plan.SOURCES: _sources,
    plan.VIDEOS: _videos,
    plan.CURATED: _curate,
    plan.DATA: _prepare,
    plan.EXP: _train,
    plan.MADE: _generate,
    plan.SCORES: _evaluate,
}


def picture(out: Path, source: Path, said: str) -> Html:
    """Return a strip of a video's pictures with a caption."""
    target = out / PICTURES / f"{source.parent.name}_{source.stem}.jpg"
    if not target.is_file() or target.stat().st_mtime < source.stat().st_mtime:
        strip(source, target)
    return figure(out, target, said)


def figure(out: Path, path: Path, said: str) -> Html:
    """Return a picture with a caption."""
    shown = Html(f'<img src="{plain(address(out, path))}" alt="{plain(said)}" loading="lazy">')
    return tag("figure", shown, tag("figcaption", said))


def video(out: Path, path: Path, said: str) -> Html:
    """Return a video that loads when it is played."""
    poster = out / PICTURES / f"{path.parent.name}_{path.stem}_poster.jpg"
    if not poster.is_file() or poster.stat().st_mtime < path.stat().st_mtime:
        strip(path, poster, moments=1)
    played = tag("video", src=address(out, path), controls="", preload="none", poster=address(out, poster))
    return tag("figure", played, tag("figcaption", name(path.name), f": {said}"))


def links(out: Path, *targets: tuple[str, Path]) -> Html:
    """Return a line of links."""
    return tag("p", join((tag("a", said, href=address(out, path)) for said, path in targets), " · "))


def address(out: Path, path: Path) -> str:
    """Return where a file lies as seen from the page."""
    return path.relative_to(out).as_posix()
