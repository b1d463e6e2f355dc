"""A resumable map over items: journal, deadlines, failures that cost one item, local and ray executors."""

from talkvid.runner.journal import Journal, Record
from talkvid.runner.outcome import Item, Outcome
from talkvid.runner.run import Summary, run

__all__ = ["Item", "Journal", "Outcome", "Record", "Summary", "run"]
