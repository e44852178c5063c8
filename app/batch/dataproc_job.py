"""The batch job on Dataproc Serverless: its passwords come from Secret Manager, and its end goes to Cloud Logging.

    dataproc_job.py --events gs://shop-events/events/ --staging gs://shop-staging/batch \\
        --secret MYSQL_PASSWORD=projects/P/secrets/dev-mysql-loader/versions/latest

Spark itself is Dataproc's, and so are the connector to Cloud Storage and the number of workers. The first run reads all
files; a later one reads those that are new or changed, and adds them.
"""

import argparse
import base64
import os
import sys
import time
from collections.abc import Sequence
from typing import Final

from app.batch import job
from app.batch.errors import BatchError
from app.batch.run_report import report_run
from app.batch.schedule import STORES, files_to_read
from app.events.time_bounds import EARLIEST, LATEST

ENDPOINT_VARIABLE: Final = "SECRET_MANAGER_ENDPOINT"
"""Where Secret Manager is; for tests."""
_ENDPOINT: Final = "https://secretmanager.googleapis.com"
_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_TIMEOUT_SECONDS: Final = 30


class SecretError(BatchError):
    """A secret cannot be read; the message says which, and what its reader needs."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job once and say how it ended; the exit code."""
    given = _parser().parse_args(arguments)
    started = time.monotonic()
    code = 1
    try:
        for pair in given.secret:
            variable, _, secret = pair.partition("=")
            os.environ[variable] = read_secret(secret)
        files = files_to_read(given.events, given.staging)
        days = ["--earliest", given.earliest, "--latest", given.latest]
        code = job.main([*files, "--staging", given.staging, "--stores", given.stores, *days, "--master", "yarn"])
    except BatchError as error:
        sys.stderr.write(f"error: {error}\n")
        code = error.exit_code
    finally:
        report_run(code, time.monotonic() - started)
    return code


def read_secret(version: str) -> str:
    """The text of a secret's version, by its full name.

    Raises:
        SecretError: it cannot be read.
    """
    import google.auth
    import requests
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import AuthorizedSession

    endpoint = os.environ.get(ENDPOINT_VARIABLE)
    try:
        session = requests.Session()
        if not endpoint:
            session = AuthorizedSession(google.auth.default(scopes=[_SCOPE])[0])  # type: ignore[no-untyped-call]
        answer = session.get(f"{endpoint or _ENDPOINT}/v1/{version}:access", timeout=_TIMEOUT_SECONDS)
        answer.raise_for_status()
        return base64.b64decode(answer.json()["payload"]["data"]).decode()
    except (GoogleAuthError, requests.RequestException, ValueError, KeyError) as error:
        raise SecretError(
            f"{version} cannot be read ({error}); the job's account needs roles/secretmanager.secretAccessor on it"
        ) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dataproc_job.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", required=True, metavar="FILES", help="a gs:// address, glob or prefix")
    parser.add_argument("--staging", required=True, metavar="DIR", help="gs:// address of the events between runs")
    parser.add_argument("--stores", default=STORES, metavar="NAMES", help=f"what is loaded ({STORES})")
    parser.add_argument("--earliest", default=EARLIEST, metavar="DATE", help=f"first day of events ({EARLIEST})")
    parser.add_argument(
        "--latest", default=LATEST, metavar="DATE", help=f"last day of events, or days ahead of now ({LATEST})"
    )
    parser.add_argument(
        "--secret", action="append", default=[], metavar="VARIABLE=VERSION", help="a variable's value, by its secret"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
