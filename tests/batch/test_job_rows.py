"""Where each row of the event files ends, row by row: the job with real Spark against the codec on whole files."""

import gzip
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from app.events.bad_events import Reason
from app.events.csv_codec import HEADER, Decoded, decode
from app.events.generator import Settings, Summary, generate
from app.events.ledger import Ledger
from app.events.schema import EVENTS
from tests.batch.job_process import jobs, ledger

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Source:
    path: Path
    data: bytes
    summary: Summary

    def decoded(self) -> Decoded:
        return decode(self.data, source=str(self.path))


@dataclass(frozen=True)
class Done:
    out: Path
    sources: list[Source]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """A plain file of several splits, a gzip file, both with bad rows; a file of a header alone and an empty one."""
    folder = tmp_path_factory.mktemp("rows")
    sources = []
    for name, settings in (
        ("plain.csv", Settings(events=30_000, seed=11, bad=0.05)),
        ("packed.csv", Settings(events=6_000, seed=12, bad=0.3, crlf=True)),
        ("header.csv", Settings(events=0)),
        ("empty.csv", Settings(events=0, header=False)),
    ):
        generation = generate(settings)
        data = b"".join(generation)
        path = folder / name
        path.write_bytes(gzip.compress(data) if name == "packed.csv" else data)  # gzip is told by content, not by name
        sources.append(Source(path, data, generation.summary))
    out = folder / "out"
    with jobs(folder) as job:
        outcome = job.run("--events", *(source.path for source in sources), "--out", out, "--split-mb", "1")
    assert outcome.code == 0, outcome.said
    return Done(out, sources)


def read(done: Done, name: str) -> pa.Table:
    return pq.ParquetDataset(done.out / name).read()


def test_the_ledger_is_what_was_generated(done: Done) -> None:
    summaries = [source.summary for source in done.sources]
    assert ledger(done.out) == Ledger(
        read=36_000,
        stored=sum(summary.events for summary in summaries),
        duplicates=sum(summary.duplicates for summary in summaries),
        bad=30_000 // 20 + 6_000 * 3 // 10,
    )
    assert sum(summary.duplicates for summary in summaries) > 0


def test_each_source_has_the_counts_of_its_own_file(done: Done) -> None:
    with duckdb.connect(done.out / "batch.duckdb", read_only=True) as database:
        found = database.execute("SELECT path, size, rows, events, duplicates, bad FROM sources").fetchall()
    assert sorted(found) == sorted(
        (
            str(source.path),
            source.path.stat().st_size,
            source.summary.rows,
            source.summary.events,
            source.summary.duplicates,
            source.summary.bad,
        )
        for source in done.sources
    )


def test_every_event_is_published_once_with_all_its_columns(done: Done) -> None:
    files = sorted((done.out / "events").rglob("*.parquet"))
    parts = {file.name[: len("part-00000")] for file in files}
    assert len(parts) > 3  # the plain file came in several splits
    found = pa.concat_tables(pq.ParquetFile(file).read() for file in files)
    every = pa.Table.from_batches([source.decoded().events.select(EVENTS.names) for source in done.sources], EVENTS)
    first = dict(zip(reversed(every["event_id"].to_pylist()), reversed(range(len(every))), strict=True))
    assert found.schema.equals(EVENTS)
    assert found.sort_by("event_id").equals(every.take(pa.array(sorted(first.values()))).sort_by("event_id"))


def test_every_published_file_has_events_of_the_day_in_its_folder_alone(done: Done) -> None:
    for file in (done.out / "events").rglob("*.parquet"):
        days = pc.unique(pc.cast(pq.ParquetFile(file).read()["event_time"], pa.date32())).to_pylist()
        assert [f"event_date={day}" for day in days] == [file.parent.name]


def test_every_bad_row_is_kept_as_received_with_its_reason_and_number(done: Done) -> None:
    columns = ["source", "source_row", "reason", "field", "raw"]
    expected = [row for source in done.sources for row in source.decoded().bad.select(columns).to_pylist()]
    found = read(done, "bad_events").select(columns).sort_by([("source", "ascending"), ("source_row", "ascending")])
    assert found.to_pylist() == sorted(expected, key=lambda row: (row["source"], row["source_row"]))


def test_the_number_of_a_bad_row_is_its_line_in_the_file_without_the_header(done: Done) -> None:
    lines = {str(source.path): source.data.split(b"\n") for source in done.sources}
    assert lines[str(done.sources[0].path)][0] == HEADER
    for row in read(done, "bad_events").select(["source", "source_row", "raw"]).to_pylist():
        assert lines[row["source"]][row["source_row"]].removesuffix(b"\r") == row["raw"]


def test_the_reasons_are_those_for_which_the_rows_were_made_bad(done: Done) -> None:
    made: Counter[Reason] = Counter()
    for source in done.sources:
        made.update(source.summary.bad_by_reason)
    assert len(made) > 3
    assert Counter(map(Reason, read(done, "bad_events")["reason"].to_pylist())) == made
