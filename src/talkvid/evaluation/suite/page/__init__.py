"""The page of a run, part by part; `writer.write_page` writes it."""

from talkvid.evaluation.suite.page.writer import write_page

__all__ = ["write_page"]
