"""Reads a page as a browser would, strictly, and says what is in it."""

from html.parser import HTMLParser
from pathlib import Path

from talkvid.evaluation.suite.page import write_page
from talkvid.evaluation.suite.result import Evaluation
from talkvid.evaluation.suite.summary import summarise

VOID = {"meta", "br"}


class Reader(HTMLParser):
    """Fails on tags that do not match, and keeps tags, attributes and words."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [key for key, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        self.found.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes another one"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]


def page_of(evaluation: Evaluation, folder: Path, *, title: str = "A run") -> Reader:
    page = write_page(evaluation, summarise(evaluation, resamples=50), folder, title=title)
    assert page == folder / "report.html"
    return Reader(page.read_text(encoding="utf-8"))
