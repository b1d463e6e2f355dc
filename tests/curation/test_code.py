"""What must stand nowhere in the code, and what settings given as words turn into."""

import ast
from pathlib import Path

import pytest

from talkvid.curation.config import load_curate_config

ROOT = Path(__file__).resolve().parents[2]
PLACES = ("src/talkvid", "data_pipeline", "benchmarks")
Nodes = list[tuple[str, ast.AST]]
FORBIDDEN = ("eval", "exec", "breakpoint", "input")


@pytest.fixture(scope="module")
def nodes() -> Nodes:
    """Return the calls and imports of all our code, each with the file it stands in."""
    paths = [path for place in PLACES for path in sorted((ROOT / place).rglob("*.py"))]
    assert len(paths) > 300
    wanted = (ast.Call, ast.Import, ast.ImportFrom)
    return [
        (str(path.relative_to(ROOT)), node)
        for path in paths
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, wanted)
    ]


def test_no_text_is_run_as_code_and_nothing_waits_for_a_debugger(nodes: Nodes) -> None:
    # Once: an argument of the head filter went through eval, and a breakpoint() stood in one of its branches.
    called = {
        (name, node.func.id)
        for name, node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN
    }
    assert called == set()


def test_no_flag_takes_every_word_for_yes(nodes: Nodes) -> None:
    # Once: flags were declared with type=bool, to which the word False is true.
    declared = {
        name
        for name, node in nodes
        if isinstance(node, ast.Call)
        for given in node.keywords
        if given.arg == "type" and isinstance(given.value, ast.Name) and given.value.id == "bool"
    }
    assert declared == set()


def test_curation_unpickles_nothing(nodes: Nodes) -> None:
    # Once: five pickles of another project were read for every clip.
    own = [node for name, node in nodes if name.startswith("src/talkvid/curation")]
    modules = {alias.name for node in own if isinstance(node, ast.Import) for alias in node.names}
    assert not modules & {"pickle", "dill", "joblib", "cloudpickle"}
    taken = {
        alias.name
        for node in own
        if isinstance(node, ast.ImportFrom) and node.module == "pickle"
        for alias in node.names
    }
    assert taken <= {"UnpicklingError"}


@pytest.mark.parametrize(
    ("word", "value"), [("False", False), ("false", False), ("True", True), ("0", False)]
)
def test_the_words_for_yes_and_no_mean_that(word: str, value: bool) -> None:
    # Once: `--shard False` switched sharding on.
    assert load_curate_config(overrides=[f"score_all={word}"]).score_all is value


@pytest.mark.parametrize("text", ["2+2", "__import__('os').getpid()", "len('ab')"])
def test_a_setting_is_a_value_and_no_expression(text: str) -> None:
    # Once: an argument of the head filter went through eval.
    with pytest.raises(ValueError, match="workers"):
        load_curate_config(overrides=[f"run.workers={text}"])
