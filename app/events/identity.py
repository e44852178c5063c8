"""Identity of an event: a hash of its canonical content.

The canonical row is the event written as CSV in one way only: columns in order, time as
`YYYY-MM-DD HH:MM:SS[.ffffff] UTC`, plain integers, price with two places, an empty field for NULL, quotes
only where a field holds a comma or a quote, no end of line. Two rows with the same content have the same canonical
row, whatever file, line ending or engine they came through, and so the same `event_id`.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import xxhash

ID_BYTES = 16


def canonical_row(
    event_time: datetime,
    event_type: str,
    product_id: int,
    category_id: int,
    category_code: str | None,
    brand: str | None,
    price: Decimal,
    user_id: int,
    user_session: str | None,
) -> bytes:
    """The canonical CSV row of an event, in UTF-8 without an end of line. `event_time` is in UTC."""
    return ",".join(
        (
            # strftime would not write years before 1000 with four digits.
            f"{event_time.replace(tzinfo=None).isoformat(' ')} UTC",
            event_type,
            str(product_id),
            str(category_id),
            csv_field(category_code),
            csv_field(brand),
            f"{price:.2f}",
            str(user_id),
            csv_field(user_session),
        )
    ).encode()


def event_ids(canonical_rows: Iterable[bytes]) -> pa.BinaryArray:
    """The `event_id` of each canonical row: its xxh3-128, 16 bytes in big-endian order."""
    digests = b"".join(map(xxhash.xxh3_128_digest, canonical_rows))
    offsets = np.arange(0, len(digests) + 1, ID_BYTES, dtype=np.int32)
    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(digests)])


def csv_field(text: str | None) -> str:
    """A value as it stands in a canonical row."""
    if text is None:
        return ""
    if "," in text or '"' in text:
        return '"' + text.replace('"', '""') + '"'
    return text
