"""What the page says about a visitor's video: waiting, being made, finished or why not."""

from talkvid.app.line import DONE, FAILED, STOPPED, WAITING, FairLine, Job
from talkvid.app.progress import in_words
from talkvid.page.marks import Html, plural, tag

EMPTY = tag("div", tag("p", "The video appears here.", class_="soft"), class_="status")
READING = tag("div", tag("p", "Checking the files."), class_="status", role="status")


def problem(message: str) -> Html:
    """Return a sentence that says what went wrong."""
    return tag("div", tag("p", message), class_="status problem", role="alert")


def status(job: Job, line: FairLine) -> Html:
    """Return what there is to say about a job now."""
    if job.state == FAILED:
        return problem(job.message)
    if job.state == STOPPED:
        return tag("div", tag("p", "Stopped."), class_="status", role="status")
    if job.state == DONE:
        frames = plural(job.order.num_frames, "frame")
        told = [tag("p", f"Finished: {frames} in {job.seconds:.0f} s.")]
        if job.order.note:
            told.append(tag("p", job.order.note, class_="soft"))
        return tag("div", *told, class_="status", role="status")
    if job.state == WAITING:
        told = [tag("p", waiting_text(line.ahead(job), line.usual_s))]
        return tag("div", *told, class_="status", role="status")
    progress = job.progress
    left = "" if progress.left_s is None else f", {in_words(progress.left_s)} left"
    percent = round(100 * progress.share)
    bar = tag(
        "div",
        tag("div", style=f"width:{percent}%"),
        class_="bar",
        role="progressbar",
        aria_valuenow=str(percent),
        aria_valuemin="0",
        aria_valuemax="100",
        aria_label="progress",
    )
    return tag(
        "div",
        tag("p", f"{progress.told}{left} ({percent} %)"),
        bar,
        class_="status",
        role="status",
    )


def waiting_text(ahead: int, usual_s: float | None) -> str:
    """Return the place in the line in words."""
    if not ahead:
        return "Your video is next."
    guess = "" if usual_s is None else f", {in_words(ahead * usual_s)}"
    return f"Waiting: {plural(ahead, 'video')} before yours{guess}."
