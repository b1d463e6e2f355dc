from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest

from talkvid.evaluation.raters.analysis import UserScore
from talkvid.evaluation.suite.metric import Column, LeftOut
from talkvid.evaluation.suite.page import write_page
from talkvid.evaluation.suite.page.links import relative_url
from talkvid.evaluation.suite.pair import Pair
from talkvid.evaluation.suite.result import Evaluation, MetricResult, PairResult, SetResult
from talkvid.evaluation.suite.summary import summarise
from tests.evaluation.suite.made_up import made_up_evaluation
from tests.evaluation.suite.page_reader import Reader, page_of

EVIL = "</style><script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
EMPTY = Evaluation(columns={}, pairs=())
RUN = made_up_evaluation()


def one_video(pair: Pair, *, value: float | None = 1.5, notes: tuple[str, ...] = ()) -> Evaluation:
    column = Column("lse_d", "LSE-D", "lower", "Distance of lips and sound.")
    result = MetricResult({"lse_d": value}, {"version": 1, "fps": 25.0}, notes)
    return Evaluation({"syncnet": (column,)}, (PairResult(pair, {"syncnet": result}),))


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    return page_of(RUN, tmp_path_factory.mktemp("made_up"))


def test_the_page_says_what_was_measured_and_what_was_left_out(made_up: Reader) -> None:
    for told_ in (
        "ours",
        "wav2lip",
        "sadtalker",
        "35 made videos",
        "Fréchet distance of two sets of pictures.",
    ):
        assert told_ in made_up.text
    assert "Left out: 2 metrics" in made_up.text
    assert "talkvid models fetch i3d" in made_up.text and "csim" in made_up.text


def test_every_warning_of_the_summary_is_on_the_page_before_the_tables(made_up: Reader) -> None:
    warnings = summarise(RUN, resamples=50).warnings
    above = made_up.text[: made_up.text.index("clips compared")]
    assert len(warnings) > 3 and all(warning in above for warning in warnings)


def test_failures_and_missing_numbers_have_their_reasons(made_up: Reader) -> None:
    for reason in ("not a video", "no picture has a face on both sides", "a still mouth has no lag",
                   "are too few for a Fréchet distance", "3 of 125 pictures showed no face"):  # fmt: skip
        assert reason in made_up.text


def test_the_protocol_of_every_metric_is_there(made_up: Reader) -> None:
    assert "face tracks, 224x224" in made_up.text
    assert "121 to 132" in made_up.text and "Inception pool3, 2048" in made_up.text
    assert "talkvid evaluate --generated ours=a --generated wav2lip=b | <more>" in made_up.text
    assert RUN.settings["weights"]["syncnet_v2.model"] in made_up.text


def test_controls_stand_apart_and_those_not_told_from_the_truth_are_marked(made_up: Reader) -> None:
    kinds = [attributes.get("class", "").split()[-1:] for attributes in made_up.all("tr")]
    first_control = kinds.index(["control"])
    assert ["system"] in kinds[:first_control] and ["truth"] in kinds[:first_control]
    assert any(attributes.get("class") == "weak" for attributes in made_up.all("span"))


def test_subgroups_have_tables_and_a_set_too_small_says_so(made_up: Reader) -> None:
    for value in ("female", "male", "Polish", "English", "German"):
        assert value in made_up.text
    assert "too few to say much" in made_up.text


def test_nothing_is_run_and_nothing_is_loaded_from_elsewhere(made_up: Reader) -> None:
    assert not made_up.all("script") and not made_up.all("link") and not made_up.all("img")
    assert not any(key.startswith("on") for _, attributes in made_up.found for key in attributes)
    for _, attributes in made_up.found:
        for key in ("src", "href", "poster", "data", "action"):
            place = urlsplit(attributes.get(key, ""))
            assert not place.scheme and not place.netloc, attributes


def test_the_style_loads_nothing(tmp_path: Path) -> None:
    write_page(EMPTY, summarise(EMPTY), tmp_path, title="x")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "url(" not in text and "@import" not in text


@pytest.mark.parametrize("title", ["A run", EVIL])
def test_text_from_files_never_becomes_markup(tmp_path: Path, title: str) -> None:
    made = tmp_path / "made" / "x.mp4"
    pair = Pair(EVIL, EVIL, made, reference=made, groups={EVIL: EVIL})
    run = one_video(pair, notes=(EVIL,))
    run = replace(
        run,
        pairs=(*run.pairs, PairResult(replace(pair, clip=f"{EVIL}2"), failure=EVIL),
               PairResult(replace(pair, clip="3"), {"syncnet": MetricResult({}, {}, reason=EVIL)})),
        sets=(SetResult(EVIL, "syncnet", "", 1, {"lse_d": None}, {EVIL: EVIL}, notes=(EVIL,)),),
        left_out=(LeftOut(EVIL, EVIL),),
        settings={"command": EVIL, EVIL: {EVIL: [EVIL, 1]}},
        columns={"syncnet": (Column("lse_d", EVIL, "lower", EVIL),)},
    )  # fmt: skip
    reader = page_of(run, tmp_path / "out", title=title)
    assert not reader.all("script") and not reader.all("img")
    assert not any("onerror" in attributes for _, attributes in reader.found)
    assert "<script>alert(1)</script>" in reader.text


def test_the_direction_of_writing_cannot_be_turned(tmp_path: Path) -> None:
    pair = Pair("ours", "clip\u202e4pm.gpj", tmp_path / "x.mp4")
    page_of(one_video(pair), tmp_path)
    assert "\u202e" not in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name",
    ["plain.mp4", "with space.mp4", "50%.mp4", "a#b.mp4", "why?.mp4", "javascript:alert(1).mp4", "né 人.mp4",
     "\"quoted'.mp4", "%2e%2e.mp4", "//host.mp4".replace("/", "_"), "a&amp;b.mp4", "back\\slash.mp4"],
)  # fmt: skip
def test_players_find_their_videos_whatever_the_names(tmp_path: Path, name: str) -> None:
    out, made = tmp_path / "the out", tmp_path / "some & 1#" / name
    made.parent.mkdir()
    made.write_bytes(b"made")
    sound = made.with_suffix(".wav")
    sound.write_bytes(b"sound")
    reader = page_of(one_video(Pair("ours", "clip", made, reference=made, audio=sound)), out)
    for tag, number, wanted in (("video", 2, made), ("audio", 1, sound)):
        places = [urlsplit(attributes["src"]) for attributes in reader.all(tag)]
        assert len(places) == number
        for place in places:
            assert not place.scheme and not place.query and not place.fragment
            assert (out / unquote(place.path)).resolve() == wanted.resolve()


def test_a_name_that_is_no_unicode_has_an_address(tmp_path: Path) -> None:
    path = tmp_path / "bad\udcff.mp4"
    assert relative_url(path, tmp_path) == "bad%FF.mp4"


def test_a_video_that_is_gone_is_said_to_be_gone(tmp_path: Path) -> None:
    reader = page_of(one_video(Pair("ours", "clip", tmp_path / "gone.mp4")), tmp_path)
    assert not reader.all("video")
    assert "the file is not there" in reader.text and "none given" in reader.text
    assert str(tmp_path / "gone.mp4") in reader.text


def test_no_number_is_told_that_is_none(tmp_path: Path) -> None:
    # Once: tables of evaluations printed "nan" where a clip showed no face.
    run = one_video(Pair("ours", "clip", tmp_path / "x.mp4"), value=float("nan"))
    facts = MetricResult({"lse_d": 1.0}, {"least": float("nan"), "most": float("inf")})
    second = PairResult(Pair("ours", "clip 2", tmp_path / "y.mp4"), {"syncnet": facts})
    reader = page_of(replace(run, pairs=(*run.pairs, second)), tmp_path)
    words = reader.text.lower().replace("[", " ").replace(",", " ").split()
    assert not {"nan", "inf", "-inf"} & set(words)
    assert "nan" not in {attributes.get("d", "")[1:4].lower() for attributes in reader.all("path")}


def test_one_system_with_one_clip_and_no_truth_has_a_page(tmp_path: Path) -> None:
    reader = page_of(one_video(Pair("ours", "only one", tmp_path / "x.mp4")), tmp_path)
    assert "1.500" in reader.text and "no controls" in reader.text and "the only clip" in reader.text
    assert "\N{BLACK STAR}" not in reader.text


def test_a_run_in_which_everything_failed_has_a_page(tmp_path: Path) -> None:
    run = made_up_evaluation(tmp_path)
    broken = [PairResult(result.pair, failure=f"{result.pair.made}: damaged") for result in run.pairs]
    reader = page_of(replace(run, pairs=tuple(broken), sets=()), tmp_path)
    assert "No row has a number in any column" in reader.text
    assert reader.text.count("damaged") >= 3 and "Nothing was measured." in reader.text


def test_a_run_of_nothing_has_a_page(tmp_path: Path) -> None:
    assert "Nothing failed, and no number is missing." in page_of(EMPTY, tmp_path).text


def test_the_same_run_gives_the_same_page(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        page_of(RUN, tmp_path / folder)
    first, second = ((tmp_path / folder / "report.html").read_bytes() for folder in ("a", "b"))
    assert first == second


def test_a_large_run_stays_a_small_page(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    columns = {f"m{k}": (Column(f"k{k}", f"K{k}", "lower", "Something."),) for k in range(6)}
    pairs = [
        PairResult(
            Pair(system, f"clip {number}", tmp_path / "x.mp4", groups={"language": f"l{number % 15}"}),
            {
                name: MetricResult({found[0].key: float(generator.normal())}, {}, (f"note {number}",))
                for name, found in columns.items()
            },
        )
        for system in ("a", "b", "c", "d", "e")
        for number in range(500)
    ]
    reader = page_of(Evaluation(columns, tuple(pairs)), tmp_path)
    assert (tmp_path / "report.html").stat().st_size < 1_000_000
    assert "further reasons: see results.json" in reader.text
    assert len(reader.all("video")) == 0


def test_what_raters_gave_stands_in_a_section_of_its_own(tmp_path: Path) -> None:
    scores = {"ours": UserScore(61.5, 55.0, 68.0, 23, EVIL, "% of comparisons"), EVIL: UserScore(
        38.5, None, None, 23, "Which one looks real?", "% of comparisons")}  # fmt: skip
    write_page(RUN, summarise(RUN, resamples=50), tmp_path, title="x", user_scores=scores)
    reader = Reader((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert not reader.all("script")
    words = reader.text[reader.text.index("They were asked") :]
    assert "61.50" in words and "[55.00, 68.00]" in words and "Which one looks real?" in words
