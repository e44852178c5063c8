"""How a run ended is a line of JSON, and in the cloud an entry that a metric can count."""

import json

import pytest

from app.batch.run_report import report_run
from tests.batch.answering import answering


def test_a_run_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    report_run(0, 12.34, {"BATCH_ENVIRONMENT": "dev"})
    assert json.loads(capsys.readouterr().out) == {
        "severity": "INFO",
        "event": "batch_run_finished",
        "environment": "dev",
        "exit_code": 0,
        "seconds": 12.3,
    }


@pytest.mark.integration
def test_in_the_cloud_it_is_an_entry_with_fields(capsys: pytest.CaptureFixture[str]) -> None:
    with answering() as server:
        variables = {"BATCH_LOG_PROJECT": "demo-project", "BATCH_LOG_ENDPOINT": server.url, "BATCH_ENVIRONMENT": "dev"}
        report_run(3, 1, variables)
    [(path, body)] = server.requests
    assert path == "/v2/entries:write"
    [entry] = body["entries"]
    assert entry["logName"] == "projects/demo-project/logs/batch"
    assert entry["severity"] == "ERROR"
    assert entry["jsonPayload"] == {
        "event": "batch_run_finished",
        "environment": "dev",
        "exit_code": 3,
        "seconds": 1,
    }
    assert capsys.readouterr().out


@pytest.mark.integration
def test_a_log_that_does_not_answer_fails_no_run(caplog: pytest.LogCaptureFixture) -> None:
    with answering() as server:
        server.status = 503
        report_run(0, 1, {"BATCH_LOG_PROJECT": "demo-project", "BATCH_LOG_ENDPOINT": server.url})
    assert "could not be written to Cloud Logging" in caplog.text
