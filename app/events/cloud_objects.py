"""Objects in Cloud Storage: find them by URL, read them by large ranges."""

import io
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from app.events.byte_streams import EventFileError
from app.gcp.clients import ProjectMissingError, storage_client

if TYPE_CHECKING:
    from google.cloud.storage import Blob

SCHEME: Final = "gs://"
RANGE_BYTES: Final = 8 << 20
"""One request to Cloud Storage; two are in memory at most."""


def find_object(url: str) -> "Blob":
    """The object at `gs://bucket/name`, with size and generation.

    Raises:
        EventFileError: it does not exist, or may not be read.
    """
    bucket, _, name = url.removeprefix(SCHEME).partition("/")
    if not bucket or not name or name.endswith("/"):
        raise EventFileError(
            f"{url} is no object; write gs://bucket/name, or gs://bucket/prefix/ where a list is taken"
        )
    with _explained(url):
        blob = storage_client().bucket(bucket).get_blob(name)
    if blob is None:
        raise EventFileError(f"{url} does not exist; check the bucket and the name")
    return blob


def expand_url(url: str) -> list[str]:
    """The objects that a URL means, by name: itself, those under a prefix that ends with a slash, or those of a glob.

    Raises:
        EventFileError: there are none, or they may not be listed.
    """
    bucket, _, name = url.removeprefix(SCHEME).partition("/")
    wild = next((i for i, sign in enumerate(name) if sign in "*?["), None)
    if wild is None and name and not name.endswith("/"):
        find_object(url)
        return [url]
    with _explained(url):
        listed = storage_client().list_blobs(bucket, prefix=name[:wild])
        names = sorted(blob.name for blob in listed if not blob.name.endswith("/"))
    if wild is not None:
        names = [found for found in names if found.count("/") == name.count("/") and fnmatchcase(found, name)]
    if not names:
        raise EventFileError(f"no object matches {url}; check the bucket and the prefix")
    return [f"{SCHEME}{bucket}/{found}" for found in names]


class ObjectStream(io.RawIOBase):
    """An object in Cloud Storage, read by large ranges, the next one while the last is in use.

    The generation is pinned: an object that is replaced while it is read is an error, not a mix of both.
    """

    def __init__(self, blob: "Blob", offset: int = 0, end: int | None = None) -> None:
        """Read `blob`, whose metadata is loaded, from byte `offset` to before `end`."""
        self._blob = blob
        self._size = int(blob.size or 0) if end is None else min(int(blob.size or 0), end)
        self._next = min(offset, self._size)
        self._held = memoryview(b"")
        self._pool = ThreadPoolExecutor(1, "gcs-range")
        self._coming: Future[bytes] | None = None
        self._request()

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes, all that is left of the object for -1."""
        if size < 0:
            return b"".join(iter(lambda: self.read(RANGE_BYTES), b""))
        if not self._held and self._coming:
            self._held = memoryview(self._coming.result())
            self._request()
        taken, self._held = self._held[:size], self._held[size:]
        return taken.tobytes()

    def readinto(self, buffer: Any, /) -> int:
        """Read into `buffer`; the number of bytes."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Forget what is under way."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        super().close()

    def _request(self) -> None:
        start, end = self._next, min(self._next + RANGE_BYTES, self._size)
        self._next = end
        self._coming = self._pool.submit(self._fetch, start, end) if end > start else None

    def _fetch(self, start: int, end: int) -> bytes:
        name = f"{SCHEME}{self._blob.bucket.name}/{self._blob.name}"
        with _explained(name):
            data: bytes = self._blob.download_as_bytes(
                start=start, end=end - 1, raw_download=True, if_generation_match=self._blob.generation, checksum=None
            )
        if len(data) != end - start:
            raise EventFileError(f"{name} gave {len(data)} of {end - start} bytes at byte {start}; start again")
        return data


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Turn what Cloud Storage or its credentials raise into an error that says what to do."""
    from google.api_core.exceptions import Forbidden, GoogleAPIError, NotFound, PreconditionFailed, Unauthorized
    from google.auth.exceptions import GoogleAuthError
    from requests import RequestException

    try:
        yield
    except NotFound as error:
        raise EventFileError(f"{url} does not exist; check the bucket and the name") from error
    except PreconditionFailed as error:
        raise EventFileError(f"{url} was replaced while it was read; start again") from error
    except (Forbidden, Unauthorized) as error:
        raise EventFileError(
            f"{url} may not be read by these credentials; grant roles/storage.objectViewer on the bucket"
        ) from error
    except (GoogleAuthError, ProjectMissingError) as error:
        raise EventFileError(f"no credentials to read {url}: {error}") from error
    except (GoogleAPIError, RequestException) as error:
        raise EventFileError(f"{url} cannot be read: {error}") from error
