"""An emulator of BigQuery: bqemulator (REST, Storage Write and Read, on DuckDB) in a Python environment of its own.

Its dependencies clash with ours, so they have their own lock. After a change of `bigquery-emulator.in`:

    uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \\
        -o app/local/bigquery-emulator.lock app/local/bigquery-emulator.in
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.local.bigquery_environment import ENVIRONMENT, install, python_of
from app.local.process import LOOPBACK, Command, Server, accepts_connections, answers_http, free_port, start
from app.local.workspace import workspace

PROJECT = "demo-project"

_SERVER = Path(__file__).with_name("bigquery_server.py")


@dataclass(frozen=True)
class BigQueryEmulator:
    """A BigQuery emulator: its server and the ports of its REST and its gRPC services.

    What it lacks: `insertId` does not remove duplicates, `require_partition_filter` is not enforced, a dry run reports
    0 bytes, and a table's partitions are kept only if the table is made before it is loaded. Time travel is off, see
    bigquery_server.py.
    """

    server: Server
    rest_port: int
    grpc_port: int

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make our clients (app/gcp/clients.py) use it."""
        return {
            "BIGQUERY_EMULATOR_HOST": f"http://{LOOPBACK}:{self.rest_port}",
            "BIGQUERY_STORAGE_EMULATOR_HOST": f"{LOOPBACK}:{self.grpc_port}",
            "GOOGLE_CLOUD_PROJECT": PROJECT,
        }

    def wait(self) -> None:
        """Wait until both services answer. Raises ServerError."""
        self.server.wait_until(lambda: accepts_connections(self.grpc_port) and answers_http(self.rest_port, "/readyz"))


@contextmanager
def bigquery_emulator(*, folder: Path | None = None, gcs_folder: Path | None = None) -> Iterator[BigQueryEmulator]:
    """Run a BigQuery emulator that works in a new temporary folder, or in `folder`.

    Its environment is installed first where it is missing or old (about 20 s once). `gcs_folder` is where it finds
    gs:// objects for load jobs: the folder of the Cloud Storage emulator. Raises ServerError with the end of its log
    if it does not start, EnvironmentFailed if it cannot be installed.
    """
    install()
    with ExitStack() as stack:
        place = folder or stack.enter_context(workspace())
        emulator = start_bigquery(place, gcs_folder=gcs_folder)
        stack.callback(emulator.server.stop)
        emulator.wait()
        yield emulator


def start_bigquery(folder: Path, *, gcs_folder: Path | None = None) -> BigQueryEmulator:
    """Start the installed emulator in `folder` without waiting for it; the caller stops its server."""
    rest_port, grpc_port = free_port(), free_port()
    uploads = folder / "bigquery-uploads"
    uploads.mkdir(exist_ok=True)
    settings = {
        "BQEMU_GCS_LOCAL_ROOT": str(gcs_folder or folder / "gcs"),
        "BQEMU_UPLOAD_STAGING_DIR": str(uploads),
        # The extension for Avro would be downloaded.
        "BQEMU_ENABLE_FORMAT_EXTENSIONS": "false",
        "BQEMU_TIME_TRAVEL_RETENTION_DAYS": "0",
        "BQEMU_METRICS_ENABLED": "false",
        # DuckDB looks for its extensions below the home folder.
        "HOME": str(ENVIRONMENT),
    }
    arguments = [
        *(str(python_of(ENVIRONMENT)), "-I", str(_SERVER), "start", "--ephemeral", "--project", PROJECT),
        *("--rest-port", str(rest_port), "--grpc-port", str(grpc_port), "--log-level", "error"),
    ]
    command = Command(
        "BigQuery emulator",
        arguments,
        settings,
        seconds=120,
        advice=f"If its installation is broken, remove {ENVIRONMENT} and run this again.",
    )
    return BigQueryEmulator(start(command, folder), rest_port, grpc_port)
