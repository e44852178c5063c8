"""An upload makes the object equal to the file, once, and says what it did."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.events.byte_streams import EventFileError
from app.events.upload import UploadError, object_urls, upload
from app.events.upload_command import main
from app.gcp.clients import storage_client
from app.local.gcs import gcs_emulator


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with gcs_emulator() as emulator, pytest.MonkeyPatch.context() as patch:
        for name, value in emulator.environment.items():
            patch.setenv(name, value)
        yield emulator.create_bucket("uploads")


def content(url: str) -> bytes:
    bucket, _, name = url.removeprefix("gs://").partition("/")
    data: bytes = storage_client().bucket(bucket).blob(name).download_as_bytes()
    return data


@pytest.mark.integration
@pytest.mark.parametrize("size", [0, 1, 40 << 20])
def test_the_object_is_equal_to_the_file_and_an_equal_one_is_skipped(bucket: str, tmp_path: Path, size: int) -> None:
    path, url = tmp_path / "events.csv", f"{bucket}/{size}/events.csv"
    path.write_bytes(bytes(range(256)) * (size // 256) + b"x" * (size % 256))
    seen: list[int] = []
    first = upload(str(path), url, seen.append)
    assert (first.size, first.skipped, sum(seen)) == (size, False, size)
    assert content(url) == path.read_bytes()
    assert upload(str(path), url).skipped


@pytest.mark.integration
def test_an_object_of_the_same_size_but_other_bytes_is_replaced(bucket: str, tmp_path: Path) -> None:
    path, url = tmp_path / "events.csv", f"{bucket}/changed.csv"
    path.write_bytes(b"before")
    upload(str(path), url)
    path.write_bytes(b"after!")
    assert not upload(str(path), url).skipped
    assert content(url) == b"after!"


@pytest.mark.integration
def test_the_command_uploads_what_a_glob_matches(
    bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("b.csv", "a.csv"):
        (tmp_path / name).write_text(name)
    assert main(["--json", str(tmp_path / "*.csv"), f"{bucket}/many"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["url"] for line in lines] == [f"{bucket}/many/a.csv", f"{bucket}/many/b.csv"]
    assert content(f"{bucket}/many/b.csv") == b"b.csv"


@pytest.mark.integration
def test_a_bucket_that_is_not_there_is_named(bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv").write_text("a")
    assert main([str(tmp_path / "a.csv"), "gs://nowhere/"]) == 1
    assert "gs://nowhere does not exist" in capsys.readouterr().err


def test_a_target_that_is_no_place_for_the_files_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UploadError, match="no place in Cloud Storage"):
        object_urls(["/a.csv"], "/elsewhere")
    with pytest.raises(UploadError, match=r"several files are called a\.csv"):
        object_urls(["/one/a.csv", "/two/a.csv"], "gs://bucket/")
    with pytest.raises(EventFileError, match="does not exist"):
        upload(str(tmp_path / "nothing.csv"), "gs://bucket/nothing.csv")
    assert object_urls(["/one/a.csv"], "gs://bucket") == ["gs://bucket/a.csv"]
