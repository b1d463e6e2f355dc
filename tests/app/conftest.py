"""One browser for all tests of the page that one process runs."""

from collections.abc import Iterator

import pytest

from tests.app.served import CHROMIUM
from tests.browser import Browser


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium program is installed")
    with Browser(CHROMIUM, tmp_path_factory.mktemp("browser"), height=1000) as opened:
        yield opened
