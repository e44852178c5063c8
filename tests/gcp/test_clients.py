"""Where each client goes: to the emulator that is named, else to Google with the machine's credentials."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from app.gcp import clients

REPOSITORY = Path(__file__).parents[2]
VARIABLES = (
    "PUBSUB_EMULATOR_HOST",
    "STORAGE_EMULATOR_HOST",
    "BIGQUERY_EMULATOR_HOST",
    "BIGQUERY_STORAGE_EMULATOR_HOST",
    "GOOGLE_CLOUD_PROJECT",
    "GOOGLE_APPLICATION_CREDENTIALS",
)


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Default credentials: the key file of a made-up service account; gives its project."""
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = tmp_path / "account.json"
    file.write_text(
        json.dumps(
            {
                "type": "service_account",
                "project_id": "real-project",
                "private_key_id": "1",
                "private_key": key.decode(),
                "client_email": "reader@real-project.iam.gserviceaccount.com",
                "client_id": "1",
                "token_uri": "https://oauth2.example/token",
            }
        )
    )
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    return "real-project"


def test_with_the_emulators_variables_no_client_needs_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:2")
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", "http://127.0.0.1:3")
    monkeypatch.setenv("BIGQUERY_STORAGE_EMULATOR_HOST", "127.0.0.1:4")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "demo-project")
    assert clients.uses_emulators()
    assert clients.storage_client().api_endpoint == "http://127.0.0.1:2"
    assert clients.bigquery_client()._connection.API_BASE_URL == "http://127.0.0.1:3"
    assert clients.storage_client().project == clients.bigquery_client().project == "demo-project"
    for made in (
        clients.bigquery_write_client(),
        clients.bigquery_read_client(),
        clients.publisher_client(),
        clients.subscriber_client(),
    ):
        made.transport.close()


def test_without_them_every_client_goes_to_google_with_the_default_credentials(account: str) -> None:
    assert not clients.uses_emulators()
    assert clients.project() == account
    assert clients.storage_client().api_endpoint == "https://storage.googleapis.com"
    assert clients.bigquery_client()._connection.API_BASE_URL == "https://bigquery.googleapis.com"
    assert clients.storage_client().project == clients.bigquery_client().project == account
    hosts = [
        clients.bigquery_write_client().transport.host,
        clients.bigquery_read_client().transport.host,
        clients.publisher_client().transport.host,
        clients.subscriber_client().transport.host,
    ]
    assert hosts == ["bigquerystorage.googleapis.com:443"] * 2 + ["pubsub.googleapis.com:443"] * 2


def test_the_named_project_wins_over_that_of_the_credentials(account: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "other-project")
    assert clients.project() == "other-project"


def test_without_any_project_the_error_says_what_to_set() -> None:
    with pytest.raises(clients.ProjectMissingError, match="GOOGLE_CLOUD_PROJECT"):
        clients.project()


def test_settings_of_the_publisher_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
    from google.cloud.pubsub_v1.types import BatchSettings

    publisher = clients.publisher_client(batch_settings=BatchSettings(max_messages=7))
    assert publisher.batch_settings.max_messages == 7


def test_importing_the_module_loads_no_library_of_google_and_nothing_of_the_emulators() -> None:
    code = "import sys, app.gcp.clients; print(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    # The two namespaces are there at every start of Python.
    loaded = set(answer.stdout.split()) - {"google", "google.cloud"}
    assert "app.gcp.clients" in loaded
    assert not [name for name in loaded if name.split(".")[0] in {"google", "grpc"} or name.startswith("app.local")]
