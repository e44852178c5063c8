"""A server that keeps comments and issues as GitHub's API does, for a test."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "a token of the tests"


@dataclass
class Repository:
    """What is written to it, and the answers that it gives."""

    api: str = ""
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    issues: list[dict[str, Any]] = field(default_factory=list)
    refuses: bool = False

    def environment(self) -> dict[str, str]:
        """The variables of a workflow in it."""
        return {"GITHUB_API_URL": self.api, "GITHUB_REPOSITORY": "me/shop", "GITHUB_TOKEN": TOKEN}

    def answer(self, method: str, path: list[str], query: dict[str, list[str]], body: Any) -> Any:
        """Do what the API does."""
        match method, path:
            case "GET", ["issues", number, "comments"]:
                return _page(self.comments.get(int(number), []), query)
            case "POST", ["issues", number, "comments"]:
                there = self.comments.setdefault(int(number), [])
                there.append({"id": 1_000 * int(number) + len(there), "body": body["body"]})
                return there[-1]
            case "PATCH", ["issues", "comments", number]:
                (found,) = [one for some in self.comments.values() for one in some if one["id"] == int(number)]
                found.update(body)
                return found
            case "GET", ["issues"]:
                assert query["state"] == ["open"]
                return _page([one for one in self.issues if one["state"] == "open"], query)
            case "POST", ["issues"]:
                self.issues.append({"number": len(self.issues) + 1, "state": "open", **body})
                return self.issues[-1]
            case "PATCH", ["issues", number]:
                self.issues[int(number) - 1].update(body)
                return self.issues[int(number) - 1]
        raise AssertionError((method, path))


@contextmanager
def github() -> Iterator[Repository]:
    """Run it on this machine."""
    repository = Repository()

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            allowed = self.headers["Authorization"] == f"Bearer {TOKEN}" and not repository.refuses
            answer = {"message": "Resource not accessible by integration"}
            if allowed:
                path = parts.path.removeprefix("/repos/me/shop/").split("/")
                answer = repository.answer(self.command, path, parse_qs(parts.query), body)
            data = json.dumps(answer).encode()
            self.send_response(200 if allowed else 403)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = _do  # noqa: N815 - the names that the server calls

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    repository.api = f"http://127.0.0.1:{server.server_port}"
    try:
        yield repository
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _page(found: list[Any], query: dict[str, list[str]]) -> list[Any]:
    size, page = int(query["per_page"][0]), int(query["page"][0])
    return found[(page - 1) * size : page * size]
