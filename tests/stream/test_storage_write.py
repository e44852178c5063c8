"""TableWriter stores every batch at least once, exactly, and says what is wrong where it cannot."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from app.events.schema import EVENT_LOG
from app.events.warehouse import ACTIVITY_LOG
from app.local.bigquery import bigquery_emulator
from app.local.emulators import Emulators, environment
from app.local.process import LOOPBACK
from app.stream.storage_write import MAX_REQUEST_BYTES, AppendError, TableWriter
from tests.stream.shop import Shop, open_shop

pytestmark = pytest.mark.integration
NOW = datetime(2019, 10, 1, 12, 30, 0, 123_456, tzinfo=UTC)


@pytest.fixture
def writers() -> Iterator[list[TableWriter]]:
    """Writers that are closed at the end."""
    made: list[TableWriter] = []
    yield made
    for writer in made:
        writer.close()


def path(shop: Shop, table: str) -> str:
    project, _, dataset = shop.dataset.partition(".")
    return f"projects/{project}/datasets/{dataset}/tables/{table}"


def minutes(count: int, revenue: Decimal = Decimal("1.00")) -> pa.RecordBatch:
    columns: list[list[Any]] = [[NOW], ["view"], [1], [revenue], [0], [1], [False], [NOW]]
    arrays = [pa.array(values * count, field.type) for values, field in zip(columns, ACTIVITY_LOG, strict=True)]
    arrays[2] = pa.array(range(count), pa.int64())
    return pa.RecordBatch.from_arrays(arrays, schema=ACTIVITY_LOG)


def events_of(shop: Shop) -> list[int]:
    return sorted(shop.query("SELECT events FROM `DATASET.activity_log`").column("events").to_pylist())


def test_rows_can_be_queried_after_a_flush_with_exact_money_and_times(shop: Shop, writers: list[TableWriter]) -> None:
    writers.append(TableWriter(path(shop, "activity_log"), ACTIVITY_LOG))
    most = Decimal("9999999999999999.99")
    for revenue in (most, Decimal("0.01"), Decimal("0.00")):
        writers[0].send(minutes(1, revenue))
    writers[0].flush()
    rows = shop.query("SELECT * FROM `DATASET.activity_log` ORDER BY revenue").to_pylist()
    assert [row["revenue"] for row in rows] == [Decimal("0.00"), Decimal("0.01"), most]
    assert {row["updated_at"] for row in rows} == {NOW}


def test_a_batch_over_the_services_limit_is_sent_in_parts(shop: Shop, writers: list[TableWriter]) -> None:
    count = 30
    raw = "x" * (MAX_REQUEST_BYTES // 10)
    row: dict[str, Any] = {
        "event_time": NOW, "event_type": "view", "product_id": 1, "category_id": 2, "brand": raw,
        "price": Decimal("1.50"), "user_id": 3, "zero_price": False, "missing_session": True, "source": "s",
        "ingest_time": NOW,
    }  # fmt: skip
    rows = [row | {"event_id": bytes([number] * 16), "source_row": number} for number in range(count)]
    batch = pa.RecordBatch.from_pylist(rows, EVENT_LOG)
    assert batch.nbytes > 2 * MAX_REQUEST_BYTES
    writers.append(TableWriter(path(shop, "event_log"), EVENT_LOG))
    writers[0].send(batch)
    writers[0].flush()
    found = shop.query("SELECT source_row, LENGTH(brand) AS n FROM `DATASET.event_log` ORDER BY 1").to_pylist()
    assert [tuple(each.values()) for each in found] == [(number, len(raw)) for number in range(count)]


def test_a_connection_that_breaks_loses_no_row(cloud: Emulators, writers: list[TableWriter]) -> None:
    # An emulator of its own: it keeps a thread for every connection that was cut, and has few.
    with (
        bigquery_emulator() as emulator,
        environment(emulator.environment),
        Cuttable(emulator.grpc_port) as proxy,
        environment({"BIGQUERY_STORAGE_EMULATOR_HOST": f"{LOOPBACK}:{proxy.port}"}),
    ):
        shop = open_shop(cloud)
        writers.append(TableWriter(path(shop, "activity_log"), ACTIVITY_LOG))
        rows, sent = minutes(20), 0
        for _ in range(4):
            for _ in range(5):
                writers[0].send(rows.slice(sent, 1))
                sent += 1
            proxy.cut()
        writers[0].flush()
        assert proxy.cuts == 4
        assert set(events_of(shop)) == set(range(sent))


def test_a_table_that_is_not_there_is_named_with_what_to_check(shop: Shop, writers: list[TableWriter]) -> None:
    writers.append(TableWriter(path(shop, "no_such_table"), ACTIVITY_LOG))
    with pytest.raises(AppendError, match=r"no_such_table.*app/events/warehouse\.py"):
        writers[0].send(minutes(1))


def test_a_service_that_stays_away_is_given_up_with_what_becomes_of_the_rows(
    shop: Shop, writers: list[TableWriter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.stream.storage_write._GIVE_UP_SECONDS", 1.0)
    with environment({"BIGQUERY_STORAGE_EMULATOR_HOST": f"{LOOPBACK}:1"}):
        writers.append(TableWriter(path(shop, "activity_log"), ACTIVITY_LOG))
        with pytest.raises(AppendError, match="will be delivered again"):
            writers[0].send(minutes(1))


class Cuttable:
    """A TCP proxy whose connections can be cut, as a network or a load balancer does."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._open: list[socket.socket] = []
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = self._listener.getsockname()[1]
        self.cuts = 0

    def __enter__(self) -> "Cuttable":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self._cut_all()

    def cut(self) -> None:
        """Cut what is open; new connections are taken."""
        self.cuts += bool(self._open)
        self._cut_all()

    def _cut_all(self) -> None:
        while self._open:
            one = self._open.pop()
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection((LOOPBACK, self._to_port))
            except OSError:
                return
            self._open += [client, server]
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=_pump, args=(source, target), daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
