"""Web addresses opened by urllib: proxies of the environment, few redirects, never off the web."""

import urllib.parse
import urllib.request
from typing import Any

from talkvid.fetching.errors import FetchError

MOST_REDIRECTS = 8


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a few redirects, and none that leaves the web."""

    max_redirections = MOST_REDIRECTS
    max_repeats = 2

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """Return the next request; raise FetchError where the scheme is not http or https."""
        if urllib.parse.urlsplit(newurl).scheme not in ("http", "https"):
            raise FetchError("unsupported", f"redirected to {newurl[:200]}, which is not on the web")
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None and urllib.parse.urlsplit(newurl).netloc != req.host:
            request.remove_header("Authorization")  # meant for the first host alone
        return request


def opener() -> urllib.request.OpenerDirector:
    """Return what opens web addresses through the proxies of the environment, and nothing but those."""
    director = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        _Redirects(),
    ):
        director.add_handler(handler)
    return director
