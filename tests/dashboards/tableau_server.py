"""A stand-in of Tableau's REST API, over real HTTP: what a client that publishes needs, and failures on demand."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import quoteattr

from lxml import etree

NAMESPACE = "http://tableau.com/api"
TOKEN = ("pipeline", "s3cret")
SITE = "my-site"
_API = "/api/3.24"


@dataclass
class TableauServer:
    """What the server has, and what is to go wrong with it.

    `drop_chunk`, `expire_at_chunk`: the number of a chunk (from 1, over all uploads) at which the connection is cut
    or the session ends. `drop_answer`: publish, and cut the connection before the answer, once.
    """

    address: str = ""
    projects: dict[str, str] = field(default_factory=lambda: {"default": "p-0"})
    workbooks: dict[tuple[str, str], bytes] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    sessions: set[str] = field(default_factory=set)
    log: list[str] = field(default_factory=list)
    chunks: int = 0
    drop_chunk: int = 0
    expire_at_chunk: int = 0
    drop_answer: bool = False
    broken: bool = False
    may_publish: bool = True

    def count(self, what: str) -> int:
        return sum(entry.startswith(what) for entry in self.log)


@contextmanager
def tableau_server() -> Iterator[TableauServer]:
    state = TableauServer()
    handler = type("Handler", (_Handler,), {"state": state})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        state.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    state: TableauServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Keep the test's output clean."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        address = urlsplit(self.path)
        path, query = address.path, parse_qs(address.query)
        if path.lower().endswith("/serverinfo"):
            self._answer(
                "<serverInfo><productVersion build='1'>2026.1.0</productVersion>"
                "<restApiVersion>3.24</restApiVersion></serverInfo>"
            )
            return
        if not path.startswith(_API):
            self._refuse(404, "404000", "Not Found")
            return
        path = path.removeprefix(_API)
        if path == "/auth/signin":
            self._sign_in(body)
            return
        session = self.headers.get("x-tableau-auth", "")
        if session not in self.state.sessions:
            self._refuse(401, "401002", "Invalid authentication credentials were provided")
            return
        if path == "/auth/signout":
            self.state.sessions.discard(session)
            self._answer("", 204)
        elif path == "/sites/s-1/projects":
            self._projects(body, query)
        elif path == "/sites/s-1/workbooks":
            self._workbooks(body, query)
        elif path.startswith("/sites/s-1/fileUploads"):
            self._upload(path.removeprefix("/sites/s-1/fileUploads").strip("/"), body)
        else:
            self._refuse(404, "404000", "Not Found")

    def _sign_in(self, body: bytes) -> None:
        credentials = etree.fromstring(body)[0]
        given = (credentials.get("personalAccessTokenName"), credentials.get("personalAccessTokenSecret"))
        if given != TOKEN or credentials[0].get("contentUrl") != SITE:
            self._refuse(401, "401001", "Signin Error")
            return
        self.state.log.append("sign in")
        session = f"session-{self.state.count('sign in')}"
        # A token has one session: a new one ends the old.
        self.state.sessions.clear()
        self.state.sessions.add(session)
        self._answer(
            f"<credentials token='{session}'><site id='s-1' contentUrl='{SITE}'/><user id='u-1'/></credentials>"
        )

    def _projects(self, body: bytes, query: dict[str, list[str]]) -> None:
        if self.command == "POST":
            name = etree.fromstring(body)[0].get("name")
            self.state.log.append(f"project {name}")
            self.state.projects[name] = f"p-{len(self.state.projects)}"
            self._answer(f"<project id='{self.state.projects[name]}' name={quoteattr(name)}/>", 201)
            return
        wanted = _filtered(query)
        found = [(key, name) for name, key in self.state.projects.items() if wanted in (None, name)]
        items = "".join(f"<project id='{key}' name={quoteattr(name)}/>" for key, name in found)
        self._answer(f"{_pages(len(found))}<projects>{items}</projects>")

    def _workbooks(self, body: bytes, query: dict[str, list[str]]) -> None:
        if self.command == "POST":
            self._publish(body, query)
            return
        wanted = _filtered(query)
        found = [key for key in self.state.workbooks if wanted in (None, key[1])]
        items = "".join(self._workbook(project, name) for project, name in found)
        self._answer(f"{_pages(len(found))}<workbooks>{items}</workbooks>")

    def _publish(self, body: bytes, query: dict[str, list[str]]) -> None:
        parts = self._parts(body)
        asked = etree.fromstring(parts["request_payload"])[0]
        key = (asked.find("{*}project").get("id"), asked.get("name"))
        if not self.state.may_publish:
            self._refuse(403, "403004", "Publish forbidden")
            return
        if key in self.state.workbooks and "overwrite" not in query:
            self._refuse(409, "409007", "Workbook exists")
            return
        session = query.get("uploadSessionId")
        content = self.state.uploads.pop(session[0]) if session else parts["tableau_workbook"]
        self.state.workbooks[key] = content
        self.state.log.append(f"publish {key[1]} {query['workbookType'][0]}")
        if self.state.drop_answer:
            self.state.drop_answer = False
            self._hang_up()
            return
        self._answer(self._workbook(*key), 201)

    def _upload(self, session: str, body: bytes) -> None:
        if self.state.broken:
            self._refuse(500, "500000", "Internal Server Error")
            return
        if not session:
            self.state.log.append("upload")
            name = f"upload-{self.state.count('upload')}"
            self.state.uploads[name] = b""
            self._answer(f"<fileUpload uploadSessionId='{name}' fileSize='0'/>", 201)
            return
        self.state.chunks += 1
        if self.state.chunks == self.state.expire_at_chunk:
            self.state.sessions.clear()
            self._refuse(401, "401002", "Invalid authentication credentials were provided")
            return
        self.state.uploads[session] += self._parts(body)["tableau_file"]
        if self.state.chunks == self.state.drop_chunk:
            self._hang_up()
            return
        size = len(self.state.uploads[session]) // 2**20
        self._answer(f"<fileUpload uploadSessionId='{session}' fileSize='{size}'/>")

    def _parts(self, body: bytes) -> dict[str, bytes]:
        """The parts of a multipart request by name."""
        boundary = self.headers["Content-Type"].partition("boundary=")[2].strip('"').encode()
        parts = {}
        for part in body.split(b"--" + boundary)[1:-1]:
            head, _, content = part.partition(b"\r\n\r\n")
            (name,) = re.findall(rb'[ ;]name="([^"]+)"', head)
            parts[name.decode()] = content.removesuffix(b"\r\n")
        return parts

    def _workbook(self, project: str, name: str) -> str:
        place = re.sub(r"\W", "", name)
        address = f"{self.state.address}/#/site/{SITE}/workbooks/{place}"
        return (
            f"<workbook id='w-{place}' name={quoteattr(name)} contentUrl='{place}' webpageUrl={quoteattr(address)}>"
            f"<project id='{project}' name='x'/></workbook>"
        )

    def _answer(self, content: str, status: int = 200) -> None:
        body = f"<?xml version='1.0' encoding='UTF-8'?><tsResponse xmlns='{NAMESPACE}'>{content}</tsResponse>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/xml;charset=UTF-8")
        self.send_header("Content-Length", "0" if status == 204 else str(len(body)))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)

    def _refuse(self, status: int, code: str, summary: str) -> None:
        self._answer(f"<error code='{code}'><summary>{summary}</summary><detail>{summary}</detail></error>", status)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def _filtered(query: dict[str, list[str]]) -> str | None:
    return query["filter"][0].removeprefix("name:eq:") if "filter" in query else None


def _pages(total: int) -> str:
    return f"<pagination pageNumber='1' pageSize='100' totalAvailable='{total}'/>"
