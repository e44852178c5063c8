"""The Cloud Storage emulator through Google's own client."""

import gzip
from collections.abc import Iterator

import pytest
from google.api_core.exceptions import NotFound

from app.gcp.clients import storage_client
from app.local.emulators import environment
from app.local.gcs import GcsEmulator, gcs_emulator

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def emulator() -> Iterator[GcsEmulator]:
    with gcs_emulator() as running, environment(running.environment):
        yield running


def test_an_object_comes_back_as_it_was_uploaded(emulator: GcsEmulator) -> None:
    assert emulator.create_bucket("round-trip") == "gs://round-trip"
    content = gzip.compress(b"event_time,event_type\n" * 100_000)
    blob = storage_client().bucket("round-trip").blob("2019/10/events of October.csv.gz")
    blob.upload_from_string(content, content_type="application/gzip")
    assert blob.download_as_bytes(raw_download=True) == content
    with blob.open("rb", chunk_size=256 << 10) as stream:
        assert stream.read() == content


def test_a_large_upload_in_parts_comes_back_whole(emulator: GcsEmulator) -> None:
    emulator.create_bucket("in-parts")
    content = bytes(range(256)) * 8_192
    blob = storage_client().bucket("in-parts").blob("large", chunk_size=256 << 10)
    blob.upload_from_string(content)
    assert storage_client().bucket("in-parts").blob("large").download_as_bytes() == content


def test_objects_are_listed_below_a_prefix_and_deleted(emulator: GcsEmulator) -> None:
    emulator.create_bucket("listed")
    client = storage_client()
    for name in ("raw/2019-10-01/00.csv", "raw/2019-10-01/01.csv", "other"):
        client.bucket("listed").blob(name).upload_from_string(b"x")
    assert [one.name for one in client.list_blobs("listed", prefix="raw/")] == [
        "raw/2019-10-01/00.csv",
        "raw/2019-10-01/01.csv",
    ]
    client.bucket("listed").blob("other").delete()
    with pytest.raises(NotFound):
        client.bucket("listed").blob("other").download_as_bytes()


def test_two_emulators_run_side_by_side_and_share_nothing(emulator: GcsEmulator) -> None:
    emulator.create_bucket("only-here")
    with gcs_emulator() as other:
        assert other.url != emulator.url
        other.create_bucket("only-here")
        folder = other.folder
    assert not folder.exists()
    assert not other.server.is_running
    assert storage_client().bucket("only-here").exists()
