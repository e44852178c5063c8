"""What is said of a run when it has ended: one line of JSON, and in Google Cloud an entry in Cloud Logging.

    {"severity": "INFO", "event": "batch_run_finished", "environment": "dev", "exit_code": 0, "seconds": 812.4}

The entry is in the log `batch` of the project in BATCH_LOG_PROJECT, with these fields as its `jsonPayload`, so that a
log-based metric can count runs by `exit_code`. BATCH_ENVIRONMENT names the environment.
"""

import json
import logging
import os
import sys
from collections.abc import Mapping
from typing import Any, Final

EVENT: Final = "batch_run_finished"
LOG: Final = "batch"
ENVIRONMENT_VARIABLE: Final = "BATCH_ENVIRONMENT"
PROJECT_VARIABLE: Final = "BATCH_LOG_PROJECT"
ENDPOINT_VARIABLE: Final = "BATCH_LOG_ENDPOINT"
"""Where Cloud Logging is; for tests."""

_ENDPOINT: Final = "https://logging.googleapis.com"
_SCOPE: Final = "https://www.googleapis.com/auth/logging.write"
_TIMEOUT_SECONDS: Final = 30

_log = logging.getLogger(__name__)


def report_run(exit_code: int, seconds: float, environment: Mapping[str, str] = os.environ) -> None:
    """Say how a run ended. Where Cloud Logging does not answer, the line on standard output is all that is left."""
    payload = {
        "event": EVENT,
        "environment": environment.get(ENVIRONMENT_VARIABLE, ""),
        "exit_code": exit_code,
        "seconds": round(seconds, 1),
    }
    severity = "ERROR" if exit_code else "INFO"
    sys.stdout.write(json.dumps({"severity": severity, **payload}) + "\n")
    sys.stdout.flush()
    project = environment.get(PROJECT_VARIABLE)
    if project:
        _write(project, severity, payload, environment.get(ENDPOINT_VARIABLE, ""))


def _write(project: str, severity: str, payload: Mapping[str, object], endpoint: str) -> None:
    import google.auth
    import requests
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import AuthorizedSession

    entry: dict[str, Any] = {
        "logName": f"projects/{project}/logs/{LOG}",
        "resource": {"type": "global", "labels": {"project_id": project}},
        "severity": severity,
        "jsonPayload": payload,
    }
    try:
        session = requests.Session()
        if not endpoint:
            session = AuthorizedSession(google.auth.default(scopes=[_SCOPE])[0])  # type: ignore[no-untyped-call]
        answer = session.post(
            f"{endpoint or _ENDPOINT}/v2/entries:write", json={"entries": [entry]}, timeout=_TIMEOUT_SECONDS
        )
        answer.raise_for_status()
    except (GoogleAuthError, requests.RequestException) as error:
        _log.warning("the end of the run could not be written to Cloud Logging: %s", error)
