"""From settings to what is used in a month: how much of which SKU, and why."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from infra.alert_rules import StreamNames, batch_alerts, disk_alerts, machine_alerts, stream_alerts
from infra.cost.machines import machine
from infra.settings import Settings

HOURS: Final = 730.0
"""In a month, as Google counts."""
DAYS: Final = HOURS / 24
_GIB: Final = 2**30
_TIB_IN_GIB: Final = 1_024
_ACTIVE_DAYS: Final = 90
"""Days after which BigQuery's storage that nobody changed costs less."""
_ROW_SHARE: Final = 1.5
"""Size of a row in BigQuery, with its id, categories and times, as a multiple of its CSV."""
_ARCHIVE_SHARE: Final = 0.2
"""Size of compressed CSV as a multiple of what it is of."""
_ENGINE_SHARE: Final = 1.3
"""What goes through Streaming Engine, with partial sums and state, as a multiple of what is read."""
_MOVED_SHARE: Final = 0.1
"""What goes through NAT, as a multiple of the events: Google's own services are reached without it."""
_WORKER_DISK_GB: Final = 30
_PUBLISHER_DISK_GB: Final = 20
_HOST_DISK_GB: Final = 50
_FILLED_SHARE: Final = 0.5
"""Of the data disk, which is what a snapshot holds."""
_CHANGED_SHARE: Final = 0.05
"""Of that in a day, which is what the next snapshot adds."""
_SECRETS: Final = 9
_DATAPROC_CORES: Final = 12
"""Of a driver and two executors, with 4 GB and 100 GB of shuffle each core, as Dataproc gives."""
_DATAPROC_UNITS: Final = 12 * 0.6 + 48 * 0.1
"""Dataproc's own unit for these: 0.6 for a core, 0.1 for a GB."""
_DATAPROC_SHUFFLE_GB: Final = 1_200
_IMAGES_GB: Final = 6
_LOGS_GIB: Final = 10
_ARCHIVE_WRITES_AN_HOUR: Final = 12


@dataclass(frozen=True)
class Usage:
    """How much of a SKU a component uses in a month, in the unit of its price, and why so much."""

    component: str
    item: str
    sku: str
    quantity: float
    why: str


def usage_of(settings: Settings) -> list[Usage]:
    """What the environment of some settings uses in a month."""
    parts = [
        *(_stream_usage(settings) if settings.stream.enabled else ()),
        *(_batch_usage(settings) if settings.batch.on_google_cloud else ()),
        *(_shared_usage(settings) if settings.on_google_cloud else ()),
    ]
    return [usage for usage in parts if usage.quantity]


def machine_usage(component: str, item: str, machine_type: str, hours: float, why: str) -> Iterator[Usage]:
    """The processors and the memory of a machine for some hours."""
    found = machine(machine_type)
    if found is None:
        yield Usage(component, item, machine_type, hours, f"{machine_type}, which has no price here")
        return
    yield Usage(component, f"{item}, processors", f"{found.family}-vcpu", found.vcpus * hours, f"{machine_type}, {why}")
    yield Usage(
        component, f"{item}, memory", f"{found.family}-memory", found.memory_gb * hours, f"{machine_type}, {why}"
    )


def gib_a_month(settings: Settings) -> float:
    """GiB of events, as CSV, in a month."""
    return settings.costs.events_a_day * settings.costs.event_bytes * DAYS / _GIB


def _stream_usage(settings: Settings) -> Iterator[Usage]:
    yield from _messages(settings)
    yield from _publisher(settings)
    yield from _dataflow(settings)
    yield from _warehouse(settings)
    yield from _archive(settings)


def _messages(settings: Settings) -> Iterator[Usage]:
    gib, days = gib_a_month(settings), settings.messages.retention_days
    yield Usage(
        "messages", "published and delivered", "pubsub-throughput", 2 * gib / _TIB_IN_GIB, "each event in and out"
    )
    yield Usage("messages", "kept for replay", "pubsub-retention", gib / DAYS * days, f"{days} days of events")


def _publisher(settings: Settings) -> Iterator[Usage]:
    if settings.publisher.enabled:
        hours = settings.costs.publisher_hours_a_day
        why = f"{hours:g} hours a day"
        yield from machine_usage("publisher", "machine", settings.publisher.machine_type, hours * DAYS, why)
        yield Usage("publisher", "boot disk", "disk-balanced", _PUBLISHER_DISK_GB, f"{_PUBLISHER_DISK_GB} GB")


def _dataflow(settings: Settings) -> Iterator[Usage]:
    stream, assumed = settings.stream, settings.costs.average_workers
    workers = stream.min_workers if assumed is None else min(assumed, stream.max_workers)
    size, why = machine(stream.machine_type), f"{workers:g} workers on average, each {stream.machine_type}"
    if size is None:
        yield Usage("stream", "workers", stream.machine_type, workers * HOURS, f"{why}, which has no price here")
    else:
        hours = workers * HOURS
        yield Usage("stream", "workers, processors", "dataflow-streaming-vcpu", size.vcpus * hours, why)
        yield Usage("stream", "workers, memory", "dataflow-streaming-memory", size.memory_gb * hours, why)
    yield Usage(
        "stream", "workers, disks", "dataflow-disk", workers * HOURS * _WORKER_DISK_GB, f"{_WORKER_DISK_GB} GB each"
    )
    through = gib_a_month(settings) * _ENGINE_SHARE
    yield Usage(
        "stream", "Streaming Engine", "dataflow-streaming-engine", through, f"{_ENGINE_SHARE:g} times the events"
    )


def _warehouse(settings: Settings) -> Iterator[Usage]:
    rows, days = gib_a_month(settings) * _ROW_SHARE, settings.costs.history_days
    if settings.warehouse.expiry_days:
        days = min(days, settings.warehouse.expiry_days)
    active = min(days, _ACTIVE_DAYS)
    yield Usage("warehouse", "rows written", "bigquery-write", rows, f"{_ROW_SHARE:g} times the size of the CSV")
    yield Usage("warehouse", "rows of late", "bigquery-active-storage", rows / DAYS * active, f"{active} days")
    yield Usage(
        "warehouse",
        "older rows",
        "bigquery-long-term-storage",
        rows / DAYS * (days - active),
        f"{days - active} days, unchanged for {_ACTIVE_DAYS}",
    )
    read = settings.costs.queried_gb_a_day
    yield Usage("warehouse", "questions", "bigquery-query", read * DAYS / _TIB_IN_GIB, f"{read:g} GB read a day")


def _archive(settings: Settings) -> Iterator[Usage]:
    a_day = gib_a_month(settings) / DAYS * _ARCHIVE_SHARE
    days, cold = settings.costs.history_days, settings.storage.archive_cold_days
    if settings.storage.archive_days:
        days = min(days, settings.storage.archive_days)
    warm = min(days, cold)
    yield Usage("buckets", "archive of late", "storage-standard", a_day * warm, f"{warm} days, compressed")
    yield Usage(
        "buckets", "older archive", "storage-coldline", a_day * (days - warm), f"{days - warm} days, compressed"
    )
    yield Usage(
        "buckets",
        "archive, objects written",
        "storage-writes",
        _ARCHIVE_WRITES_AN_HOUR * settings.stream.shards * HOURS / 1_000,
        f"{_ARCHIVE_WRITES_AN_HOUR} an hour for each of {settings.stream.shards} shards",
    )


def _batch_usage(settings: Settings) -> Iterator[Usage]:
    batch = settings.batch
    yield from machine_usage("batch", "machine", batch.machine_type, HOURS, "all hours")
    yield Usage("batch", "boot disk", "disk-balanced", _HOST_DISK_GB, f"{_HOST_DISK_GB} GB")
    yield Usage("batch", "data disk", "disk-balanced", batch.data_disk_gb, f"{batch.data_disk_gb} GB")
    kept = batch.data_disk_gb * _FILLED_SHARE * (1 + _CHANGED_SHARE * batch.snapshot_days)
    why = f"{batch.snapshot_days} days, half of the disk filled, {_CHANGED_SHARE:.0%} of it changed in a day"
    yield Usage("batch", "snapshots", "disk-snapshot", kept, why)
    yield Usage("batch", "passwords", "secret-version", _SECRETS, f"{_SECRETS} secrets")
    if batch.run == "dataproc":
        hours = settings.costs.batch_hours_a_day * DAYS
        why = f"{_DATAPROC_CORES} cores, {settings.costs.batch_hours_a_day:g} hours a day"
        yield Usage("batch", "Dataproc", "dataproc-serverless", _DATAPROC_UNITS * hours, why)
        yield Usage(
            "batch", "Dataproc's shuffle", "dataproc-serverless-shuffle", _DATAPROC_SHUFFLE_GB * hours / HOURS, why
        )


def _shared_usage(settings: Settings) -> Iterator[Usage]:
    source = gib_a_month(settings) / DAYS * settings.costs.history_days * _ARCHIVE_SHARE
    yield Usage(
        "buckets", "source events", "storage-standard", source, f"{settings.costs.history_days} days, compressed"
    )
    yield Usage("images", "images", "artifact-storage", _IMAGES_GB, f"{_IMAGES_GB} GB")
    yield Usage("operations", "logs", "logs", _LOGS_GIB, f"{_LOGS_GIB} GiB of logs and flow logs")
    conditions = _alert_conditions(settings)
    yield Usage("operations", "alerts", "alert-condition", conditions, f"{conditions} alerts of one condition each")
    if settings.network.existing is None:
        machines = sum(_machines(settings))
        yield Usage("network", "NAT", "nat-machine", machines * HOURS, f"{machines} machines")
        yield Usage("network", "NAT's address", "external-address", HOURS, "one")
        yield Usage(
            "network",
            "data through NAT",
            "nat-data",
            gib_a_month(settings) * _MOVED_SHARE,
            f"{_MOVED_SHARE:g} of the events, as Google's services are reached without NAT",
        )


def _machines(settings: Settings) -> tuple[int, int, int]:
    """How many publishers, batch hosts and Dataflow workers there are."""
    stream = settings.stream.enabled
    return (
        int(stream and settings.publisher.enabled),
        int(settings.batch.on_google_cloud),
        settings.stream.min_workers if stream else 0,
    )


def _alert_conditions(settings: Settings) -> int:
    publishers, hosts, _ = _machines(settings)
    operations, zone = settings.operations, settings.place.zone
    of_stream = [*stream_alerts(StreamNames("", "", ""), operations)] if settings.stream.enabled else []
    of_batch = [*batch_alerts("", "", operations)] if settings.batch.on_google_cloud else []
    of_machine = [*machine_alerts("", "", zone), *disk_alerts("", "", zone, operations)]
    return len(of_stream) + len(of_batch) + (publishers + hosts) * len(of_machine)
