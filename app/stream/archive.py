"""Archive: the raw rows in Cloud Storage, a gzip file of CSV by date and hour of the event.

Files are named `DATE/HH/ID.csv.gz` under the archive's prefix and have no header, so the replayer reads them like any
event file. Rows wait in state until an hour's part is large or some minutes old, so that files are few. Rows that are
no events have no hour: they are kept with their bytes in the table `bad_event_log`.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from uuid import uuid4

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.coders import BytesCoder, VarIntCoder
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import BagStateSpec, ReadModifyWriteStateSpec, TimerSpec, on_timer
from google.cloud.storage.retry import DEFAULT_RETRY
from isal import igzip

from app.events.csv_codec import Decoded
from app.gcp.clients import storage_client

FILE_BYTES: Final = 16 << 20
"""A part of an hour is written when it has so many compressed bytes."""
_MICROS_PER_HOUR: Final = 3_600_000_000
_FAST: Final = 1
_UPLOADS: Final = 8


class ArchiveRows(beam.PTransform):
    """Compress the rows of each hour where they are, and write them by hour to `gs://BUCKET/PREFIX`."""

    def __init__(self, url: str, every_seconds: int, shards: int) -> None:
        super().__init__()
        self._url = url
        self._every_seconds = every_seconds
        self._shards = shards

    def expand(self, decoded: beam.PCollection[Decoded]) -> beam.PCollection[None]:
        """Write; the output is empty."""
        return (
            decoded
            | "Compress" >> beam.ParDo(_Compress(self._shards)).with_output_types(tuple[tuple[int, int], bytes])
            | "Write" >> beam.ParDo(_WriteFiles(self._url, self._every_seconds))
        )


class _Compress(beam.DoFn):
    """Gzip members may be joined to one file, so each batch's rows are compressed before they move."""

    def __init__(self, shards: int) -> None:
        self._shards = shards

    def start_bundle(self) -> None:
        self._shard = uuid4().int % self._shards

    def process(self, decoded: Decoded) -> Iterator[tuple[tuple[int, int], bytes]]:
        if not len(decoded.events):
            return
        hours = decoded.events.column("event_time").view(pa.int64()).to_numpy() // _MICROS_PER_HOUR
        order = np.argsort(hours, kind="stable")
        index, hours = decoded.event_index[order], hours[order]
        starts = np.flatnonzero(np.diff(hours, prepend=hours[:1] - 1))
        for rows, hour in zip(np.split(index, starts[1:]), hours[starts].tolist(), strict=True):
            text = b"\n".join([decoded.text[i] for i in rows.tolist()]) + b"\n"
            yield (hour, self._shard), igzip.compress(text, _FAST)


class _WriteFiles(beam.DoFn):
    PARTS = BagStateSpec("parts", BytesCoder())
    SIZE = ReadModifyWriteStateSpec("size", VarIntCoder())
    IS_DUE = ReadModifyWriteStateSpec("is_due", VarIntCoder())
    DUE = TimerSpec("write_part", TimeDomain.WATERMARK)

    def __init__(self, url: str, every_seconds: int) -> None:
        self._bucket, _, self._prefix = url.removeprefix("gs://").rstrip("/").partition("/")
        self._every_seconds = every_seconds

    def setup(self) -> None:
        self._client = storage_client()
        self._uploads = ThreadPoolExecutor(_UPLOADS)

    def start_bundle(self) -> None:
        self._pending: list[Future[None]] = []

    def finish_bundle(self) -> None:
        for upload in self._pending:
            upload.result()

    def teardown(self) -> None:
        self._uploads.shutdown()
        self._client.close()

    def process(
        self,
        part: tuple[tuple[int, int], bytes],
        timestamp: Any = beam.DoFn.TimestampParam,
        parts: Any = beam.DoFn.StateParam(PARTS),
        size: Any = beam.DoFn.StateParam(SIZE),
        is_due: Any = beam.DoFn.StateParam(IS_DUE),
        due: Any = beam.DoFn.TimerParam(DUE),
    ) -> None:
        (hour, _), data = part
        parts.add(data)
        total = (size.read() or 0) + len(data)
        size.write(total)
        if total >= FILE_BYTES:
            self._write(hour, parts, size)
        elif not is_due.read():
            is_due.write(1)
            due.set(timestamp + self._every_seconds)

    @on_timer(DUE)
    def write_part(
        self,
        key: Any = beam.DoFn.KeyParam,
        parts: Any = beam.DoFn.StateParam(PARTS),
        size: Any = beam.DoFn.StateParam(SIZE),
        is_due: Any = beam.DoFn.StateParam(IS_DUE),
    ) -> None:
        is_due.clear()
        if size.read():
            self._write(key[0], parts, size)

    def _write(self, hour: int, parts: Any, size: Any) -> None:
        data = b"".join(parts.read())
        parts.clear()
        size.clear()
        time = datetime.fromtimestamp(hour * 3_600, UTC)
        path = "/".join(filter(None, (self._prefix, f"{time:%Y-%m-%d/%H}", f"{uuid4().hex}.csv.gz")))
        blob = self._client.bucket(self._bucket).blob(path)
        # Nobody else has this name, so an upload may be repeated. A bundle ends only when its files are written.
        upload = partial(blob.upload_from_string, data, content_type="application/gzip", retry=DEFAULT_RETRY)
        self._pending.append(self._uploads.submit(upload))
