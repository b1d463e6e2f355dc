import hashlib
import itertools
import json
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from download_material import listed, results_of, run
from export_material import numbered_video
from loopback import Site, serve

from talkvid import runner
from talkvid.curation.download import DownloadConfig
from talkvid.curation.download_pace import Pace
from talkvid.curation.download_run import download, report_lines
from talkvid.fetching.http_file import HttpSettings, fetch_http

PATIENT = HttpSettings(timeout_s=0.5, retries=2, backoff_s=0.0)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a video of 100 numbered pictures, 25 a second."""
    return numbered_video(tmp_path_factory.mktemp("source") / "v.mp4")


@pytest.fixture
def site(video: Path) -> Iterator[Site]:
    with serve(video.read_bytes()) as running:
        yield running


def test_a_file_is_fetched_whole_with_its_size_and_hash(site: Site, tmp_path: Path) -> None:
    done = run(listed(tmp_path, ["# a comment", "", site.url("ok.mp4")]), tmp_path / "out")
    assert (done.num_ok, done.num_failed) == (1, 0)
    (result,) = results_of(tmp_path / "out")
    path = tmp_path / "out" / result["path"]
    assert path.read_bytes() == site.data
    assert (result["bytes"], result["sha256"]) == (len(site.data), hashlib.sha256(site.data).hexdigest())
    assert not list((tmp_path / "out" / "videos" / ".partial").iterdir())


def test_a_broken_connection_is_taken_up_at_the_byte_it_reached(site: Site, tmp_path: Path) -> None:
    # Once: an interrupted download began again from the start, or its half counted as finished.
    site.cut_after, site.cuts_left = len(site.data) // 3, 5
    part = tmp_path / "a.part"
    fetch_http(site.url("flaky.mp4"), part, pace=Pace(tmp_path), settings=PATIENT)
    assert part.read_bytes() == site.data
    third = len(site.data) // 3
    assert (
        site.ranges["/flaky.mp4"]
        == ["", f"bytes={third}-", f"bytes={2 * third}-", f"bytes={3 * third}-"][
            : len(site.ranges["/flaky.mp4"])
        ]
    )
    assert len(site.ranges["/flaky.mp4"]) >= 3


def test_the_next_run_takes_up_what_a_killed_one_had(site: Site, tmp_path: Path) -> None:
    source, out = listed(tmp_path, [site.url("stall.mp4")]), tmp_path / "out"
    patient = DownloadConfig(timeout_s=30, retries=0)
    killed = download(source, out, patient, executor="local", deadline_s=1.0)
    assert killed.kinds == {"timeout": 1}
    (part,) = (out / "videos" / ".partial").glob("*.part")
    half = part.stat().st_size
    assert part.read_bytes() == site.data[:half] and half == len(site.data) // 2
    site.release.set()
    assert download(source, out, patient, executor="local", deadline_s=20.0).num_ok == 1
    assert site.ranges["/stall.mp4"] == ["", f"bytes={half}-"]
    assert (out / results_of(out)[0]["path"]).read_bytes() == site.data


def test_a_file_that_changed_meanwhile_is_fetched_from_the_beginning(site: Site, tmp_path: Path) -> None:
    part = tmp_path / "a.part"
    part.write_bytes(b"x" * 1000)
    notes = {"address": site.url("ok.mp4"), "total": 5000, "tag": '"older"', "type": "video/mp4"}
    (tmp_path / "a.part.json").write_text(json.dumps(notes))
    fetch_http(site.url("ok.mp4"), part, pace=Pace(tmp_path), settings=PATIENT)
    assert part.read_bytes() == site.data


def test_a_server_without_ranges_is_asked_for_the_whole_file(site: Site, tmp_path: Path) -> None:
    part = tmp_path / "a.part"
    part.write_bytes(b"left over")
    fetch_http(site.url("whole.mp4"), part, pace=Pace(tmp_path), settings=PATIENT)
    assert part.read_bytes() == site.data
    assert site.ranges["/whole.mp4"] == [""]


@pytest.mark.parametrize(
    ("name", "kind", "requests"),
    [
        ("missing.mp4", "not_found", 1),
        ("gone.mp4", "removed", 1),
        ("closed.mp4", "forbidden", 1),
        ("abroad.mp4", "geo_blocked", 1),
        ("broken.mp4", "server_error", 2),
        ("silent.mp4", "timeout", 2),
        ("short.mp4", "wrong_length", 3),
        ("loop.mp4", "redirect_loop", None),
        ("long-way.mp4", "redirect_loop", None),
        ("escape.mp4", "unsupported", 1),
        ("page.mp4", "not_a_video", 1),
    ],
)
def test_every_way_of_being_gone_has_its_class(
    site: Site, tmp_path: Path, name: str, kind: str, requests: int | None
) -> None:
    done = run(listed(tmp_path, [site.url(name)]), tmp_path / "out")
    assert done.kinds == {kind: 1}
    if requests is not None:
        assert site.asked[f"/{name}"] == requests
    assert [path.suffix for path in (tmp_path / "out" / "videos").iterdir() if path.is_file()] == []


def test_too_many_requests_are_answered_by_waiting(site: Site, tmp_path: Path) -> None:
    waited: list[float] = []
    settings = HttpSettings(timeout_s=0.5, retries=4, backoff_s=1.0)
    part = tmp_path / "a.part"
    fetch_http(site.url("busy.mp4"), part, pace=Pace(tmp_path), settings=settings, sleep=waited.append)
    assert part.read_bytes() == site.data
    assert 1 <= waited[0] <= 1.5 < 2 <= waited[1] <= 3


def test_a_refused_connection_has_its_class(tmp_path: Path) -> None:
    done = run(listed(tmp_path, ["http://127.0.0.1:9/v.mp4"]), tmp_path / "out")
    assert done.kinds == {"unreachable": 1}


def test_a_redirect_is_followed(site: Site, tmp_path: Path) -> None:
    assert run(listed(tmp_path, [site.url("moved.mp4")]), tmp_path / "out").num_ok == 1


def test_one_bad_address_costs_itself_alone_and_the_table_of_link_rot_tells(
    site: Site, tmp_path: Path
) -> None:
    names = ["ok.mp4", "missing.mp4", "gone.mp4", "moved.mp4"]
    done = run(listed(tmp_path, [site.url(name) for name in names]), tmp_path / "out")
    assert (done.num_ok, done.num_failed) == (2, 2)
    rows = (tmp_path / "out" / "link_rot.csv").read_text().splitlines()
    assert rows[0] == "host,class,videos,share,example,reason"
    assert rows[1].startswith("all,ok,2,0.5,")
    assert any(row.startswith("127.0.0.1,not_found,1,0.25,") for row in rows)
    page = (tmp_path / "out" / "link_rot.md").read_text()
    assert "| not_found | the address leads nowhere (404) | 1 | 25.0% |" in page
    assert "| 127.0.0.1 | 4 | 2 | 1 | 1 |" in page
    assert report_lines(done)[0] == "4 videos = 2 there + 2 failed"


def test_a_second_run_fetches_only_what_is_missing(site: Site, tmp_path: Path) -> None:
    # Once: a restart forgot what was done, or deleted it.
    source = listed(tmp_path, [site.url(name) for name in ("ok.mp4", "a.mp4", "missing.mp4", "broken.mp4")])
    out = tmp_path / "out"
    run(source, out)
    before = dict(site.asked)
    removed = next(one for one in results_of(out) if one["address"].endswith("/a.mp4"))
    (out / removed["path"]).unlink()
    done = run(source, out)
    more = {path: site.asked[path] - before.get(path, 0) for path in site.asked}
    assert more == {"/ok.mp4": 0, "/a.mp4": 1, "/missing.mp4": 0, "/broken.mp4": 2}
    assert (done.num_ok, done.num_failed) == (2, 2)
    run(source, out, DownloadConfig(timeout_s=0.5, retries=1, backoff_s=0.0, retry_gone=True))
    assert site.asked["/missing.mp4"] == before["/missing.mp4"] + 1


def test_settings_out_of_range_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="interval_s must be 0 or more, got -1"):
        DownloadConfig(interval_s=-1)
    with pytest.raises(FileNotFoundError, match="no such file of cookies"):
        DownloadConfig(cookies=str(tmp_path / "cookies.txt"))


def test_all_workers_together_keep_one_pace(site: Site, tmp_path: Path) -> None:
    # Once: the lock of the rate limit bound each process alone.
    addresses = [site.url(f"{name}.mp4") for name in "abcdef"]
    jobs = [Ask(str(number), address) for number, address in enumerate(addresses)]
    work = partial(ask, folder=tmp_path, interval_s=0.15)
    summary = runner.run(jobs, work, journal=tmp_path / "j.jsonl", workers=3)
    assert summary.done == 6
    times = sorted(site.times)
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) > 0.1


def test_the_rate_limit_counts_the_bytes_of_all(tmp_path: Path) -> None:
    pace = Pace(tmp_path, bytes_per_s=100_000)
    begin = time.monotonic()
    threads = [
        threading.Thread(target=lambda: [pace.before_bytes(5_000) for _ in range(4)]) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - begin >= 0.34


class Ask:
    """One request, as an item of the runner."""

    def __init__(self, name: str, address: str) -> None:
        self.id, self.address = name, address


def ask(job: Ask, *, folder: Path, interval_s: float) -> int:
    part = folder / f"{job.id}.part"
    fetch_http(job.address, part, pace=Pace(folder / "pace", interval_s=interval_s), settings=PATIENT)
    return part.stat().st_size
