"""Upload event files to Cloud Storage, in parts that are sent again when one fails, and skip what is there already."""

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import google_crc32c

from app.events.byte_streams import EventFileError, open_local
from app.events.cloud_objects import SCHEME
from app.gcp.clients import ProjectMissingError, storage_client

PART_BYTES: Final = 16 << 20
"""One request of an upload, sent again alone if it fails; a multiple of 256 KiB."""
_SMALL_BYTES: Final = 8 << 20


class UploadError(Exception):
    """A file could not be uploaded; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file and the object that holds the same bytes."""

    path: str
    url: str
    size: int
    skipped: bool
    """The object was there, with the same size and checksum."""


def upload(path: str, url: str, progress: Callable[[int], None] = lambda _: None) -> Uploaded:
    """Make the object at `url` (gs://bucket/name) equal to a local file.

    `progress` gets the bytes that were read since its last call. An object that is there with the same size and
    CRC32C is left alone; another one is replaced as a whole when the last part has arrived, checked by its CRC32C.

    Raises:
        EventFileError: the file cannot be read.
        UploadError: Cloud Storage cannot be reached or refuses.
    """
    from google.api_core.exceptions import Forbidden, GoogleAPIError, NotFound
    from google.auth.exceptions import GoogleAuthError
    from requests import RequestException

    size, checksum = _sum(path)
    bucket, _, name = url.removeprefix(SCHEME).partition("/")
    try:
        target = storage_client().bucket(bucket)
        found = target.get_blob(name)
        if found is not None and found.size == size and found.crc32c == checksum:
            progress(size)
            return Uploaded(path, url, size, skipped=True)
        blob = target.blob(name, chunk_size=PART_BYTES if size > _SMALL_BYTES else None)
        blob.crc32c = checksum  # Cloud Storage refuses what arrives differently
        # A generation that must match makes it safe for the client to send the request again.
        generation = found.generation if found is not None else 0
        with open_local(path) as raw:
            blob.upload_from_file(
                _Counted(raw, progress), size=size, content_type="text/csv", if_generation_match=generation
            )
    except NotFound as error:
        raise UploadError(f"the bucket {SCHEME}{bucket} does not exist; make it, or check its name") from error
    except Forbidden as error:
        raise UploadError(
            f"these credentials may not write {url}; grant roles/storage.objectUser on {SCHEME}{bucket}"
        ) from error
    except (GoogleAuthError, ProjectMissingError) as error:
        raise UploadError(f"no credentials to write {url}: {error}") from error
    except (GoogleAPIError, RequestException) as error:
        raise UploadError(f"{url} could not be written: {error}; run the command again") from error
    if blob.size != size or blob.crc32c != checksum:
        raise UploadError(f"{url} is not equal to {path} after the upload; was the file written meanwhile? Try again")
    return Uploaded(path, url, size, skipped=False)


def _sum(path: str) -> tuple[int, str]:
    """Size and CRC32C of a local file, as Cloud Storage writes it."""
    checksum: Any = google_crc32c.Checksum()  # type: ignore[no-untyped-call]
    size = 0
    with open_local(path) as stream:
        try:
            while data := stream.read(PART_BYTES):
                checksum.update(data)
                size += len(data)
        except OSError as error:
            raise EventFileError(f"{path} cannot be read: {error.strerror}") from error
    return size, base64.b64encode(checksum.digest()).decode()


class _Counted(io.RawIOBase):
    """A local file that says how far it was read; what is read again counts once."""

    def __init__(self, raw: io.RawIOBase, progress: Callable[[int], None]) -> None:
        self._raw = raw
        self._progress = progress
        self._furthest = 0

    def read(self, size: int = -1, /) -> bytes:
        data = self._raw.read(size) or b""
        at = self._raw.tell()
        if at > self._furthest:
            self._progress(at - self._furthest)
            self._furthest = at
        return data

    def readinto(self, buffer: Any, /) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def object_urls(paths: list[str], target: str) -> list[str]:
    """Where each file goes: below `target`, which ends with a slash or is a bucket, by its own name.

    Raises:
        UploadError: `target` is no place for objects, or two files have the same name.
    """
    bucket, _, prefix = target.removeprefix(SCHEME).partition("/")
    if not target.startswith(SCHEME) or not bucket:
        raise UploadError(f"{target!r} is no place in Cloud Storage; write gs://bucket/prefix/")
    folder = f"{SCHEME}{bucket}/{prefix}"
    folder = folder if folder.endswith("/") else folder + "/"
    names = [Path(path).name for path in paths]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise UploadError(f"several files are called {', '.join(sorted(twice))}; upload them to different prefixes")
    return [folder + name for name in names]
