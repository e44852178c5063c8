"""A connection for writing: frames of Cassandra's native protocol, version 4, made from bytes that are ready.

The driver makes each value of each row an object of Python, which takes longer than the server does to store it. Here
a batch is a slice of the bytes of its rows (`encode.py`). All else is left to the driver. The protocol is described in
native_protocol_v4.spec of Cassandra's sources; every version from 2.2 to 5.0 speaks it.

    frame    version, flags, stream (short), operation, length (int) | body
    BATCH    type, rows (short) | row... | consistency (short), flags
    row      1, statement (short bytes), values (short) | value...
    EXECUTE  statement (short bytes), consistency (short), flags, values (short) | value...
"""

import socket
import struct
from collections.abc import Iterator
from typing import Final

from app.batch.stores.cassandra.settings import CONSISTENCIES, CassandraSettings

ROW_BEGIN: Final = b"\x01"
"""What a row begins with: its statement is a prepared one."""

_VERSION: Final = 4
_HEADER: Final = struct.Struct(">BBhBi")
_SHORT: Final = struct.Struct(">H")
_INT: Final = struct.Struct(">i")
_ERROR, _STARTUP, _AUTHENTICATE, _QUERY, _RESULT, _PREPARE, _EXECUTE, _BATCH = 0, 1, 3, 7, 8, 9, 10, 13
_AUTH_RESPONSE: Final = 15
_UNLOGGED: Final = 1
_HAS_VALUES: Final = 1
_HAS_WARNINGS: Final = 8
_RECEIVE_BYTES: Final = 1 << 16

BAD_CREDENTIALS: Final = 0x0100
_MAY_PASS: Final = frozenset(
    (
        0x0000,  # an error of the server, such as one that is stopping
        0x1000,  # too few replicas are up
        0x1001,  # overloaded
        0x1002,  # starting
        0x1100,  # a write took too long
        0x1500,  # replicas failed to write
        0x2500,  # a statement that a restarted server does not know
    )
)

Request = tuple[int, bytes]
"""An operation and its body."""


class CqlError(Exception):
    """What the server says of a request: its code and text."""

    def __init__(self, code: int, text: str) -> None:
        """An error of this code."""
        super().__init__(text)
        self.code = code

    @property
    def may_pass(self) -> bool:
        """Whether the same request may be taken later."""
        return self.code in _MAY_PASS


class Connection:
    """A connection to one node. Errors of the network are OSError."""

    def __init__(self, settings: CassandraSettings, host: str) -> None:
        """Connect and log in. Raises OSError and CqlError."""
        self._socket = socket.create_connection((host.strip("[]"), settings.port), settings.timeout_seconds)
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            context = settings.tls_context()
            if context:
                self._socket = context.wrap_socket(self._socket, server_hostname=host.strip("[]"))
            self._buffer = bytearray()
            operation, _ = self._ask(_STARTUP, _SHORT.pack(1) + _string("CQL_VERSION") + _string("3.0.0"))
            if operation == _AUTHENTICATE:
                token = b"\0".join((b"", settings.user.encode(), settings.password.encode()))
                self._ask(_AUTH_RESPONSE, _INT.pack(len(token)) + token)
        except BaseException:
            self._socket.close()
            raise

    def close(self) -> None:
        """Disconnect."""
        self._socket.close()

    def query(self, cql: str) -> None:
        """Run a statement that gives no rows. Raises OSError and CqlError."""
        self._ask(_QUERY, _long_string(cql) + _SHORT.pack(CONSISTENCIES["ONE"]) + b"\0")

    def prepare(self, cql: str) -> bytes:
        """The id of a statement, which stays the same. Raises OSError and CqlError."""
        _, body = self._ask(_PREPARE, _long_string(cql))
        (length,) = _SHORT.unpack_from(body, 4)
        return body[6 : 6 + length]

    def send(self, requests: dict[int, Request]) -> None:
        """Send requests by their stream, a number from 0 to 32767 that their answers have. Raises OSError."""
        parts: list[bytes] = []
        for stream, (operation, body) in requests.items():
            parts += (_HEADER.pack(_VERSION, 0, stream, operation, len(body)), body)
        self._socket.sendall(b"".join(parts))

    def answers(self) -> Iterator[tuple[int, CqlError | None]]:
        """Streams whose requests are answered, at least one, and the errors of those that failed. Raises OSError."""
        for stream, operation, body in self._frames():
            yield stream, _error_of(body) if operation == _ERROR else None

    def _ask(self, operation: int, body: bytes) -> tuple[int, bytes]:
        self.send({0: (operation, body)})
        ((_, operation, answer),) = self._frames()
        if operation == _ERROR:
            raise _error_of(answer)
        return operation, answer

    def _frames(self) -> list[tuple[int, int, bytes]]:
        """Streams, operations and bodies of all whole frames that have come, at least one."""
        found: list[tuple[int, int, bytes]] = []
        buffer = self._buffer
        while not found:
            received = self._socket.recv(_RECEIVE_BYTES)
            if not received:
                raise ConnectionResetError("the server closed the connection")
            buffer += received
            begin = 0
            while len(buffer) - begin >= _HEADER.size:
                _, flags, stream, operation, length = _HEADER.unpack_from(buffer, begin)
                end = begin + _HEADER.size + length
                if len(buffer) < end:
                    break
                body = bytes(buffer[begin + _HEADER.size : end])
                found.append((stream, operation, _without_warnings(body) if flags & _HAS_WARNINGS else body))
                begin = end
            del buffer[:begin]
        return found


def batch(rows: memoryview, count: int, consistency: int) -> Request:
    """A request to write rows: their bytes one after the other."""
    return _BATCH, b"".join(
        (struct.pack(">BH", _UNLOGGED, count), rows, struct.pack(">HB", consistency, 0)),
    )


def execute(row: memoryview, consistency: int) -> Request:
    """A request to write one row, which is not held to the limits of batches."""
    (length,) = _SHORT.unpack_from(row, 1)
    end = 3 + length
    return _EXECUTE, b"".join((row[1:end], struct.pack(">HB", consistency, _HAS_VALUES), row[end:]))


def row_begin(statement: bytes, values: int) -> bytes:
    """What is before the values of a row."""
    return ROW_BEGIN + _SHORT.pack(len(statement)) + statement + _SHORT.pack(values)


def _error_of(body: bytes) -> CqlError:
    (code,) = _INT.unpack_from(body)
    (length,) = _SHORT.unpack_from(body, 4)
    return CqlError(code, body[6 : 6 + length].decode(errors="replace"))


def _without_warnings(body: bytes) -> bytes:
    (count,) = _SHORT.unpack_from(body)
    begin = 2
    for _ in range(count):
        (length,) = _SHORT.unpack_from(body, begin)
        begin += 2 + length
    return body[begin:]


def _string(text: str) -> bytes:
    data = text.encode()
    return _SHORT.pack(len(data)) + data


def _long_string(text: str) -> bytes:
    data = text.encode()
    return _INT.pack(len(data)) + data
