"""Puts a workbook on Tableau Cloud or Tableau Server, through its REST API, signed in by a personal access token.

A session that expires and a connection that is lost are taken up again: from the sign-in on, with a new upload, since
what had arrived of the old one is not known.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import tableauserverclient as tsc
from requests.exceptions import ConnectionError as LostConnection
from requests.exceptions import RequestException, Timeout
from tableauserverclient.server.endpoint.exceptions import (
    FailedSignInError,
    InternalServerError,
    NonXMLResponseError,
    NotSignedInError,
    ServerResponseError,
    TableauError,
)

TOKEN_NAME: Final = "TABLEAU_TOKEN_NAME"  # noqa: S105 - the variable's name
TOKEN_SECRET: Final = "TABLEAU_TOKEN_SECRET"  # noqa: S105
SERVER: Final = "TABLEAU_SERVER"
SITE: Final = "TABLEAU_SITE"

_ATTEMPTS: Final = 4
_PAUSE_SECONDS: Final = 1.0
_TIMEOUT_SECONDS: Final = 300
_FILTER_GRAMMAR: Final = frozenset(",&:[]*")
_CONFLICT: Final = "409"
_FORBIDDEN: Final = "403"

_log = logging.getLogger(__name__)


class PublishError(Exception):
    """The workbook could not be published; the message says what to do."""


class WorkbookExistsError(PublishError):
    """A workbook of that name is in the project already, and was not to be overwritten."""


@dataclass(frozen=True)
class Target:
    """Where to publish and as whom. `site` is the name in the site's address, empty for a server's default site."""

    server: str
    site: str
    token_name: str
    token_secret: str = field(repr=False)
    project: str = "Shop"

    @classmethod
    def read(
        cls, environment: Mapping[str, str], project: str, server: str | None = None, site: str | None = None
    ) -> "Target":
        """Read the token, and what is not given, from the environment. Raises PublishError naming what is missing."""
        given = {SERVER: server, SITE: site}
        values = {name: (given.get(name) or environment.get(name, "")).strip() for name in (*given, *_SECRETS)}
        missing = [name for name in (SERVER, *_SECRETS) if not values[name]]
        if missing:
            raise PublishError(
                f"set {', '.join(missing)}; for example {SERVER}=https://10ax.online.tableau.com {SITE}=my-site, and a "
                "personal access token from your account settings in Tableau"
            )
        address = urlsplit(values[SERVER])
        if address.scheme not in ("http", "https") or not address.netloc:
            raise PublishError(
                f"{SERVER} is {values[SERVER]!r}; it must be an address like https://10ax.online.tableau.com"
            )
        return cls(values[SERVER].rstrip("/"), values[SITE], values[TOKEN_NAME], values[TOKEN_SECRET], project)


@dataclass(frozen=True)
class Published:
    """A workbook on the server: its id, its address and whether its project was made for it."""

    id: str
    url: str
    project_created: bool


_SECRETS: Final = (TOKEN_NAME, TOKEN_SECRET)


def publish(
    file: Path,
    target: Target,
    *,
    name: str | None = None,
    overwrite: bool = False,
    progress: Callable[[int], None] = lambda _size: None,
    pause: float = _PAUSE_SECONDS,
) -> Published:
    """Publish a `.twbx` or `.twb` under a name (the file's own if None) and give its address.

    `progress` is told how many bytes were read for sending; a negative number takes back what is to be sent again.
    Raises WorkbookExistsError, and PublishError for all else that fails.
    """
    if not file.is_file():
        raise PublishError(f"{file} is not there; build it first: scripts/tableau build --results build/demo")
    run = _Run(file, target, name or file.stem, overwrite, progress)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with _understood(target, run.name):
                return run.attempt()
        except _LostError as lost:
            if attempt == _ATTEMPTS:
                raise PublishError(f"{target.server}: {lost}, {_ATTEMPTS} times; try again later") from lost
            _log.warning("%s; trying again (%d of %d)", lost, attempt + 1, _ATTEMPTS)
            time.sleep(pause * 2 ** (attempt - 1))
    raise AssertionError("unreachable")


class _LostError(Exception):
    """The session or the connection ended; worth another attempt."""


@dataclass
class _Run:
    file: Path
    target: Target
    name: str
    overwrite: bool
    progress: Callable[[int], None]
    project_created: bool = False
    sent_whole: bool = False
    """Whether an attempt sent all, so that the workbook may be there although no answer came."""

    def attempt(self) -> Published:
        options = {"timeout": _TIMEOUT_SECONDS}
        server = tsc.Server(self.target.server, http_options=options)  # type: ignore[no-untyped-call]
        server.use_server_version()  # type: ignore[no-untyped-call]
        token = tsc.PersonalAccessTokenAuth(self.target.token_name, self.target.token_secret, self.target.site)
        with _signed_in(server, token):
            project = self._project(server)
            if self.sent_whole and (found := self._find(server, project)) is not None:
                return self._published(found)
            return self._published(self._send(server, project))

    def _send(self, server: tsc.Server, project: str) -> tsc.WorkbookItem:
        mode = tsc.Server.PublishMode.Overwrite if self.overwrite else tsc.Server.PublishMode.CreateNew
        item = tsc.WorkbookItem(project_id=project, name=self.name, show_tabs=True)
        if not self.overwrite and self._find(server, project) is not None:
            raise WorkbookExistsError(self._exists())
        with _Counted(self.file, self.progress) as counted:
            try:
                # The library reads a file in blocks and sends them one by one from 64 MB on.
                return server.workbooks.publish(item, counted, mode, None, False, True)
            except BaseException:
                self.sent_whole = not self.overwrite and counted.count >= self.file.stat().st_size
                self.progress(-counted.count)
                raise

    def _project(self, server: tsc.Server) -> str:
        for project in tsc.Pager(server.projects, _named(self.target.project)):
            if project.name == self.target.project and project.parent_id is None:
                return str(project.id)
        made = server.projects.create(
            tsc.ProjectItem(
                self.target.project, description="Customer behaviour of the shop, published by its pipeline"
            )
        )
        self.project_created = True
        return str(made.id)

    def _find(self, server: tsc.Server, project: str) -> tsc.WorkbookItem | None:
        found = (item for item in tsc.Pager(server.workbooks, _named(self.name)) if item.name == self.name)
        return next((item for item in found if item.project_id == project), None)

    def _published(self, item: tsc.WorkbookItem) -> Published:
        return Published(str(item.id), item.webpage_url or self.target.server, self.project_created)

    def _exists(self) -> str:
        return (
            f"the project {self.target.project!r} has a workbook {self.name!r} already; "
            "publish with --overwrite to replace it, or under another --name"
        )


class _Counted(BufferedReader):
    """A file that tells how much of it is read."""

    def __init__(self, file: Path, progress: Callable[[int], None]) -> None:
        super().__init__(FileIO(file))
        self._progress = progress
        self.count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        block = super().read(size)
        # The library first looks at the beginning, to know a package from a plain workbook, and then reads that again.
        new = max(0, self.tell() - self.count)
        self.count += new
        self._progress(new)
        return block


def _named(name: str) -> tsc.RequestOptions:
    """Ask for what has a name; for everything where the server's grammar of filters cannot say it."""
    wanted = tsc.RequestOptions()  # type: ignore[no-untyped-call]
    if not set(name) & _FILTER_GRAMMAR:
        field, equals = tsc.RequestOptions.Field.Name, tsc.RequestOptions.Operator.Equals
        wanted.filter.add(tsc.Filter(field, equals, name))  # type: ignore[no-untyped-call]
    return wanted


@contextmanager
def _signed_in(server: tsc.Server, token: tsc.PersonalAccessTokenAuth) -> Iterator[None]:
    try:
        server.auth.sign_in(token)
    except FailedSignInError as error:
        # The library calls an expired session so, too; here it is the token.
        raise PublishError(
            f"{server.server_address} refused the token {token.token_name!r} for the site {token.site_id!r} "
            f"({_short(error)}); check {TOKEN_NAME}, {TOKEN_SECRET} and {SITE}: a token ends after 15 days without use"
        ) from error
    try:
        yield
    finally:
        try:
            server.auth.sign_out()
        except (TableauError, RequestException):
            _log.debug("the session could not be ended; it ends by itself", exc_info=True)


@contextmanager
def _understood(target: Target, name: str) -> Iterator[None]:
    """Turn the library's errors into ours: those worth another attempt, and those to be read by a person."""
    try:
        yield
    except (LostConnection, Timeout) as error:
        raise _LostError(f"the connection was lost ({_short(error)})") from error
    except NotSignedInError as error:
        raise _LostError("the session expired") from error
    except InternalServerError as error:
        raise _LostError(f"the server failed ({error.code})") from error
    except ServerResponseError as error:
        if error.code.startswith("401"):
            raise _LostError("the session expired") from error
        if error.code.startswith(_CONFLICT):
            raise WorkbookExistsError(
                f"{target.server} has a workbook {name!r} in {target.project!r} already; publish with --overwrite"
            ) from error
        hint = (
            f"; the token's owner needs the right to publish into {target.project!r}"
            if error.code.startswith(_FORBIDDEN)
            else ""
        )
        raise PublishError(f"{target.server} refused: {_short(error)}{hint}") from error
    except (NonXMLResponseError, RequestException, TableauError) as error:
        raise PublishError(f"{target.server} does not answer like a Tableau server ({_short(error)})") from error


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
