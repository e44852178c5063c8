"""What a Pub/Sub message is: a block of one or more raw CSV rows, and attributes that say where they come from.

All attributes are optional, so that a simple publisher may send one bare row a message.
"""

from collections.abc import Mapping
from typing import Final

from xxhash import xxh3_128_hexdigest

from app.events.csv_codec import Block
from app.events.layout import CANONICAL, Layout

FORMAT: Final = "csv/1"
_MOST_DIGITS: Final = 18
"""A larger row number would not fit in 64 bits."""


def block_of(data: bytes, attributes: Mapping[str, str], message_id: str) -> Block:
    """The block of rows that a message carries.

    Attributes: `source` names the file and `first_row` the number of the message's first row in it. Where one is
    missing or no number, the message itself is the source: delivered again it has the same id, and so the same rows.
    `columns` is the header of rows that are not in the canonical order.
    """
    layout = Layout.of_text(attributes.get("columns", "")) or CANONICAL
    source, first_row = attributes.get("source"), attributes.get("first_row", "")
    if source and first_row.isascii() and first_row.isdigit() and len(first_row) <= _MOST_DIGITS:
        return Block(data, source, int(first_row), layout=layout)
    # Some runners do not tell the id; the content stands for it then.
    name = message_id or xxh3_128_hexdigest(data)
    return Block(data, f"pubsub:{name}", may_have_header=True, layout=layout)
