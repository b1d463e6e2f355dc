from collections.abc import Iterator
from pathlib import Path

import pytest
from download_material import QUICK, clips_of, listed, published, results_of, run
from export_material import number_of, numbered_video
from loopback import Site, serve

from talkvid.curation.download import DownloadConfig
from talkvid.curation.download_run import plan_lines
from talkvid.dataset.source_lists import read_list
from talkvid.media.video import read_frames


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a video of 100 numbered pictures, 25 a second."""
    return numbered_video(tmp_path_factory.mktemp("source") / "v.mp4")


@pytest.fixture
def site(video: Path) -> Iterator[Site]:
    with serve(video.read_bytes()) as running:
        yield running


def test_clips_are_cut_exactly_and_their_video_is_fetched_once(site: Site, tmp_path: Path) -> None:
    # Once: clips that start at 0.0 were dropped, and cuts began at key frames.
    link = site.url("ok.mp4")
    entries = [published(link, "first", 0.0, 1.0), published(link, "second", 1.48, 2.6)]
    config = DownloadConfig(what="clips", timeout_s=0.5, backoff_s=0.0)
    out = tmp_path / "out"
    done = run(clips_of(tmp_path, entries), out, config)
    assert (done.num_ok, done.clips.done) == (1, 2)
    assert site.asked["/ok.mp4"] == 1
    numbers = {
        name: [number_of(picture) for picture in read_frames(out / "clips" / f"{name}.mp4")]
        for name in ("first", "second")
    }
    assert numbers == {"first": list(range(25)), "second": list(range(37, 65))}
    sources = read_list(done.sources)
    assert [source.id for source in sources] == ["first", "second"]
    assert all(source.video.is_file() and source.language == "English" for source in sources)
    assert {source.speaker_id for source in sources} == {"597"}


def test_whole_videos_are_listed_with_the_spans_that_are_meant(site: Site, tmp_path: Path) -> None:
    link = site.url("ok.mp4")
    entries = [published(link, "first", 0.0, 1.0), published(link, "second", 1.48, 2.6)]
    done = run(clips_of(tmp_path, entries), tmp_path / "out")
    spans = [(source.id, source.start_s, source.end_s) for source in read_list(done.sources)]
    assert spans == [("first", 0.0, 1.0), ("second", 1.48, 2.6)]
    assert len({source.video for source in read_list(done.sources)}) == 1


def test_the_older_form_names_local_files_which_stay_where_they_are(video: Path, tmp_path: Path) -> None:
    before = video.read_bytes()
    entry = {"id": "sample", "video-id": "original", "video-path": str(video), "metadata": {"language": "en"}}
    gone = {"id": "other", "video-path": "gone.mp4", "metadata": {}}
    done = run(clips_of(tmp_path, [entry, gone]), tmp_path / "out")
    assert (done.num_ok, done.kinds) == (1, {"missing_file": 1})
    (source,) = read_list(done.sources)
    assert (source.video, source.language) == (video, "en")
    assert video.read_bytes() == before


def test_a_span_outside_of_the_video_fails_with_its_reason(site: Site, tmp_path: Path) -> None:
    entries = [published(site.url("ok.mp4"), "late", 7.0, 9.0), published(site.url("ok.mp4"), "fine", 1, 2)]
    done = run(clips_of(tmp_path, entries), tmp_path / "out", DownloadConfig(what="clips", backoff_s=0.0))
    assert "the span from 7 s to 9 s is outside of its 4.00 s" in done.clips.failures["late"]
    assert [source.id for source in read_list(done.sources)] == ["fine"]


def test_fetched_videos_can_be_let_go_and_are_not_fetched_again(site: Site, tmp_path: Path) -> None:
    source = clips_of(tmp_path, [published(site.url("ok.mp4"), "first", 0.0, 1.0)])
    config = DownloadConfig(what="clips", keep_videos=False, backoff_s=0.0)
    for _ in range(2):
        done = run(source, tmp_path / "out", config)
    assert site.asked["/ok.mp4"] == 1
    assert (done.clips.done, done.clips.skipped) == (0, 1)
    assert not list((tmp_path / "out" / "videos").glob("*.mp4"))


@pytest.mark.parametrize("name", ["../../../outside", "/tmp/outside", "..", "a/../../b", "%2e%2e%2fx"])
def test_nothing_is_written_outside_of_the_folder(site: Site, tmp_path: Path, name: str) -> None:
    home = tmp_path / "deep" / "er"
    home.mkdir(parents=True)
    entry = {**published(site.url("ok.mp4"), name, 0.0, 1.0), "video-id": name}
    run(clips_of(home, [entry]), home / "out", DownloadConfig(what="clips", backoff_s=0.0))
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "list.json"]
    assert written and all((home / "out") in path.parents for path in written)
    assert len(list((home / "out" / "clips").glob("*.mp4"))) == 1


def test_entries_that_cannot_be_used_stay_under_their_names(site: Site, tmp_path: Path) -> None:
    link = site.url("ok.mp4")
    entries = [
        published(link, "same", 0, 1),
        published(link, "same", 1, 2),
        published("", "lost", 0, 1),
        published(link, "wrong", 3.5, 2.5),
    ]
    done = run(clips_of(tmp_path, entries), tmp_path / "out")
    assert done.kinds == {"bad_entry": 3}
    reasons = {one["id"]: one.get("reason", "") for one in results_of(tmp_path / "out")}
    assert "the id 'same' is used by an earlier entry" in reasons["same__entry-2"]
    assert "neither a link nor a path" in reasons["lost"]
    assert "the span from 3.5 to 2.5 is empty" in reasons["wrong"]


def test_a_dry_run_asks_nobody(site: Site, tmp_path: Path) -> None:
    source = listed(tmp_path, [site.url("ok.mp4"), "https://example.org/watch?v=1"])
    lines = list(plan_lines(source, QUICK, limit=5))
    assert [line.split(": ")[1].split(" ")[0] for line in lines] == ["direct", "yt-dlp"]
    assert not site.asked
    assert [path.name for path in tmp_path.iterdir()] == ["list.txt"]


def test_limit_counts_videos(site: Site, tmp_path: Path) -> None:
    done = run(listed(tmp_path, [site.url("ok.mp4"), site.url("a.mp4")]), tmp_path / "out", limit=1)
    assert (done.num_ok, site.asked["/a.mp4"]) == (1, 0)


@pytest.mark.parametrize(("lines", "name"), [([], "list.txt"), (["x"], "list.csv")])
def test_a_list_that_cannot_be_read_is_an_error_in_one_line(
    tmp_path: Path, lines: list[str], name: str
) -> None:
    with pytest.raises(ValueError, match=r"the list is empty|cannot tell what kind of list"):
        run(listed(tmp_path, lines, name), tmp_path / "out")
