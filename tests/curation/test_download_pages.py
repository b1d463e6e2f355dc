import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest
from download_material import listed, results_of, run
from export_material import numbered_video

from talkvid.curation.download import DownloadConfig
from talkvid.curation.download_ytdlp import plain
from talkvid.fetching.errors import CLASSES, of_message

PAGE = "https://www.youtube.com/watch?v=AbCdEfGhIjk"


class FakeDownloader:
    """Stands for yt_dlp.YoutubeDL: writes a video where the options say, or raises what it is told."""

    options: ClassVar[list[dict[str, Any]]] = []
    asked: ClassVar[list[str]] = []
    message = ""
    outside = False

    def __init__(self, options: dict[str, Any]) -> None:
        FakeDownloader.options.append(options)
        self._target = options["outtmpl"]["default"]

    def __enter__(self) -> "FakeDownloader":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def extract_info(self, address: str, *, download: bool) -> dict[str, Any]:
        assert download
        FakeDownloader.asked.append(address)
        if FakeDownloader.message:
            raise DownloadError(f"\x1b[0;31mERROR:\x1b[0m [youtube] AbCdEfGhIjk: {FakeDownloader.message}")
        path = Path(self._target.replace("%(ext)s", "mp4").replace("%%", "%"))
        path = path.parent.parent.parent / "outside.mp4" if FakeDownloader.outside else path
        numbered_video(path, count=10, sound=False)
        return {"requested_downloads": [{"filepath": str(path)}]}


class DownloadError(Exception):
    pass


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeDownloader]:
    """Put the fake in the place of yt-dlp."""
    library: Any = ModuleType("yt_dlp")
    library.YoutubeDL = FakeDownloader
    library.utils = SimpleNamespace(DownloadError=DownloadError)
    version: Any = ModuleType("yt_dlp.version")
    version.__version__ = "2026.10.26"
    monkeypatch.setitem(sys.modules, "yt_dlp", library)
    monkeypatch.setitem(sys.modules, "yt_dlp.version", version)
    FakeDownloader.options, FakeDownloader.asked = [], []
    FakeDownloader.message, FakeDownloader.outside = "", False
    return FakeDownloader


def test_a_page_is_fetched_by_yt_dlp_with_the_settings_given(
    fake: type[FakeDownloader], tmp_path: Path
) -> None:
    cookies = tmp_path / "cookies.txt"
    cookies.write_text("# Netscape HTTP Cookie File\n")
    config = DownloadConfig(
        format="b", cookies=str(cookies), rate_limit_bytes_per_s=3e6, retries=7, timeout_s=9, interval_s=0.01
    )
    done = run(listed(tmp_path, [PAGE]), tmp_path / "out", config)
    assert done.num_ok == 1
    (result,) = results_of(tmp_path / "out")
    assert (result["id"], result["path"]) == ("AbCdEfGhIjk", "videos/AbCdEfGhIjk.mp4")
    (options,) = fake.options
    assert options["format"] == "b"
    assert options["cookiefile"] == str(cookies)
    assert options["ratelimit"] == 3e6
    assert (options["retries"], options["socket_timeout"], options["continuedl"]) == (7, 9, True)
    assert not list((tmp_path / "out" / "videos" / ".partial").iterdir())


def test_several_clips_of_one_page_are_fetched_once(fake: type[FakeDownloader], tmp_path: Path) -> None:
    lines = [PAGE, "https://youtu.be/AbCdEfGhIjk", "https://www.youtube.com/shorts/AbCdEfGhIjk?x=1"]
    assert run(listed(tmp_path, lines), tmp_path / "out").num_ok == 1
    assert fake.asked == [PAGE]


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Private video. Sign in if you've been granted access to this video", "private"),
        ("Video unavailable. This video has been removed by the uploader", "removed"),
        ("Video unavailable. This account has been terminated", "removed"),
        ("The uploader has not made this video available in your country", "geo_blocked"),
        ("Sign in to confirm your age. This video may be inappropriate for some users.", "age_restricted"),
        ("Sign in to confirm you're not a bot. Use --cookies-from-browser or --cookies", "login_needed"),
        ("Video unavailable", "not_found"),
        ("Unable to download webpage: HTTP Error 404: Not Found", "not_found"),
        ("Unable to download webpage: HTTP Error 429: Too Many Requests", "rate_limited"),
        ("unable to download video data: HTTP Error 403: Forbidden", "forbidden"),
        ("Unable to download webpage: The read operation timed out", "timeout"),
        ("Unable to download webpage: HTTP Error 503: Service Unavailable", "server_error"),
        ("Unsupported URL: https://example.org", "unsupported"),
        ("Unable to download API page: [Errno -2] Name or service not known", "unreachable"),
        ("Something nobody has seen before", "other"),
    ],
)  # fmt: skip
def test_the_messages_of_yt_dlp_have_their_classes(
    fake: type[FakeDownloader], tmp_path: Path, message: str, kind: str
) -> None:
    fake.message = message
    done = run(listed(tmp_path, [PAGE]), tmp_path / "out")
    assert done.kinds == {kind: 1}
    assert results_of(tmp_path / "out")[0]["reason"].endswith(message)
    assert kind in CLASSES


def test_a_file_outside_of_the_folder_is_refused(fake: type[FakeDownloader], tmp_path: Path) -> None:
    fake.outside = True
    done = run(listed(tmp_path, [PAGE]), tmp_path / "out")
    assert done.num_ok == 0
    assert "outside of" in results_of(tmp_path / "out")[0]["reason"]


def test_a_missing_yt_dlp_is_named_with_its_extra_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "yt_dlp", None)
    monkeypatch.setitem(sys.modules, "yt_dlp.version", None)
    with pytest.raises(ImportError, match=r"pip install 'talkvid\[download\]'"):
        run(listed(tmp_path, [PAGE]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_messages_become_one_plain_line() -> None:
    assert plain("\x1b[0;31mERROR:\x1b[0m [youtube] Ab: gone\n  for good") == "Ab: gone for good"
    assert of_message("") == "other"
