"""Names and ids that are made of what they name, so that two builds give the same and a change shows as one."""

import hashlib
import uuid
from typing import Final

_NAMESPACE: Final = uuid.UUID("5f0c7a0e-6d0b-5a53-9d5e-2f7b1c0f4c11")
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_LENGTH: Final = 28
"""Letters and digits after the point in the name that Tableau gives to a connection."""


def simple_id(kind: str, name: str) -> str:
    """Give the id of a sheet, a dashboard or a window: `{8D3A...}`."""
    return "{" + str(uuid.uuid5(_NAMESPACE, f"{kind}/{name}")).upper() + "}"


def object_id(table: str) -> str:
    """Give the id of a table in a data source: `daily_activity_8D3A...`."""
    return f"{table}_{uuid.uuid5(_NAMESPACE, f'table/{table}').hex.upper()}"


def connection_name(kind: str, name: str) -> str:
    """Give the internal name of a data source or a connection: `federated.0jv3...`."""
    number = int.from_bytes(hashlib.sha256(f"{kind}/{name}".encode()).digest(), "big")
    letters = []
    for _ in range(_LENGTH):
        number, digit = divmod(number, len(_DIGITS))
        letters.append(_DIGITS[digit])
    return f"{kind}.{''.join(letters)}"
