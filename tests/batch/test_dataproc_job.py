"""On Dataproc the job has its passwords from Secret Manager, and says how it ended, whatever happens."""

import base64
import json
from collections.abc import Iterator

import pytest

from app.batch import dataproc_job
from app.batch.dataproc_job import SecretError, main, read_secret
from tests.batch.answering import Answering, answering

pytestmark = pytest.mark.integration

VERSION = "projects/demo-project/secrets/dev-mysql-loader/versions/latest"


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    with answering() as server:
        monkeypatch.setenv(dataproc_job.ENDPOINT_VARIABLE, server.url)
        server.answer = {"payload": {"data": base64.b64encode(b"a password").decode()}}
        yield server


def test_a_secret_is_read_by_its_name(secrets: Answering) -> None:
    assert read_secret(VERSION) == "a password"
    assert secrets.requests == [(f"/v1/{VERSION}:access", None)]


def test_a_secret_that_may_not_be_read_says_which_role_is_missing(secrets: Answering) -> None:
    secrets.status = 403
    with pytest.raises(SecretError, match=r"roles/secretmanager\.secretAccessor") as told:
        read_secret(VERSION)
    assert VERSION in str(told.value)


@pytest.mark.parametrize(("status", "code"), [(200, 4), (403, 1)])
def test_every_end_is_said(
    secrets: Answering, status: int, code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYSQL_PASSWORD", "")
    secrets.status = status
    given = ["--events=/nowhere/*.csv", "--staging=/nowhere", f"--secret=MYSQL_PASSWORD={VERSION}", "--stores=redis"]
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("REDIS_PASSWORD", "none")
    assert main(given) == code
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["exit_code"] == code
