"""A hub on loopback: repositories with commits, tokens and large files, as huggingface_hub asks for them."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_ofthistest"
LARGE = (".safetensors", ".bin", ".png")
"""Files that go by the protocol for large ones."""


@dataclass
class Repository:
    """Files by name per commit; branches and tags by name."""

    private: bool = False
    gated: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def commit(self, changes: dict[str, bytes], branch: str = "main") -> str:
        files = {**self.commits.get(self.refs.get(branch, ""), {}), **changes}
        told = json.dumps({name: hashlib.sha1(data).hexdigest() for name, data in sorted(files.items())})
        sha = hashlib.sha1(f"{len(self.commits)}{told}".encode()).hexdigest()
        self.commits[sha] = files
        self.refs[branch] = sha
        return sha


class Hub(ThreadingHTTPServer):
    """Repositories by name, and what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.repositories: dict[str, Repository] = {}
        self.uploads: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.broken = False

    def fetched(self) -> list[str]:
        """Return the names of the files whose content was fetched."""
        asked = [path.partition("/resolve/")[2] for path in self.asked if path.startswith("GET /")]
        return [path.partition("/")[2] for path in asked if path]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_POST = do_PUT = do_GET

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append(f"{self.command} {path}")
        if self.server.broken:
            return self._send(503, {"error": "down for repairs"})
        words = path.strip("/").split("/")
        if path.startswith("/lfs/"):
            self.server.uploads[words[1]] = body
            return self._send(200, {})
        if path == "/api/validate-yaml":
            return self._send(200, {"errors": [], "warnings": []})
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        name = "/".join(words[2:4] if words[0] == "api" else words[:2]).removesuffix(".git")
        repository = self.server.repositories.get(name)
        allowed = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if repository is None or (repository.private and not allowed):
            return self._send(401, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
        if repository.gated and not allowed:
            return self._send(403, {"error": "gated"}, {"X-Error-Code": "GatedRepo"})
        if self.command in ("POST", "PUT") and not allowed:
            return self._send(403, {"error": "this token may not write"})
        if words[0] == "api":
            return self._api(repository, name, words[4:], body)
        if words[2:] == ["info", "lfs", "objects", "batch"]:
            return self._send(200, self._batch(json.loads(body)))
        return self._file(repository, words[3], "/".join(words[4:]))

    def _create(self, wanted: dict[str, Any]) -> None:
        name = f"{wanted['organization']}/{wanted['name']}"
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._send(401, {"error": "Invalid user token"})
        there = name in self.server.repositories
        private = bool(wanted.get("private") or wanted.get("visibility") == "private")
        repository = self.server.repositories.setdefault(name, Repository(private=private))
        if not repository.commits:
            repository.commit({".gitattributes": b""})
        return self._send(409 if there else 200, {"url": f"{self.server.url}/{name}", "name": name})

    def _api(self, repository: Repository, name: str, words: list[str], body: bytes) -> None:
        kind, rest = (words[0], words[1:]) if words else ("revision", ["main"])
        revision = "/".join(rest)
        if kind == "branch":
            repository.refs[revision] = repository.refs["main"]
            return self._send(200, {})
        sha = revision if revision in repository.commits else repository.refs.get(revision)
        if sha is None:
            return self._send(404, {"error": "no such revision"}, {"X-Error-Code": "RevisionNotFound"})
        files = repository.commits[sha]
        if kind == "preupload":
            wanted = json.loads(body)["files"]
            modes = [(one["path"], "lfs" if one["path"].endswith(LARGE) else "regular") for one in wanted]
            told = [{"path": path, "uploadMode": mode, "shouldIgnore": False} for path, mode in modes]
            return self._send(200, {"files": told})
        if kind == "commit":
            made = repository.commit(self._changes(body), revision)
            address = f"{self.server.url}/{name}/commit/{made}"
            return self._send(200, {"commitUrl": address, "commitOid": made, "hookOutput": ""})
        if kind == "tree":
            return self._send(200, [_entry(path, data) for path, data in files.items()])
        siblings = [{"rfilename": path} for path in files]
        about = {"id": name, "modelId": name, "sha": sha, "siblings": siblings, "private": repository.private}
        return self._send(200, {**about, "tags": [], "downloads": 0, "likes": 0})

    def _batch(self, wanted: dict[str, Any]) -> dict[str, Any]:
        objects = [
            {"oid": one["oid"], "size": one["size"],
             "actions": {"upload": {"href": f"{self.server.url}/lfs/{one['oid']}", "header": {}}}}
            for one in wanted["objects"]
        ]  # fmt: skip
        return {"transfer": "basic", "objects": objects}

    def _changes(self, body: bytes) -> dict[str, bytes]:
        changes = {}
        for line in body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                changes[value["path"]] = base64.b64decode(value["content"])
            if entry["key"] == "lfsFile":
                data = self.server.uploads[value["oid"]]
                assert hashlib.sha256(data).hexdigest() == value["oid"]
                changes[value["path"]] = data
        return changes

    def _file(self, repository: Repository, revision: str, path: str) -> None:
        sha = revision if revision in repository.commits else repository.refs.get(revision, "")
        data = repository.commits.get(sha, {}).get(path)
        if data is None:
            return self._send(404, {"error": "no such file"}, {"X-Error-Code": "EntryNotFound"})
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0])
        headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": sha}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        return self._send(206 if start else 200, data[start:], headers)

    def _send(self, code: int, content: Any, headers: dict[str, str] | None = None) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(code)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _entry(path: str, data: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": path, "size": len(data),
                             "oid": hashlib.sha1(data).hexdigest()}  # fmt: skip
    if path.endswith(LARGE):
        entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
    return entry


@contextmanager
def running_hub() -> Iterator[Hub]:
    """Hand out a hub that answers until the block ends."""
    hub = Hub()
    thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()
