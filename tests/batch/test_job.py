"""The batch job with real Spark: its answers and ledger against an independent count, and how it fails."""

import ctypes
import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from app.analytics import QUESTIONS
from app.events.csv_codec import HEADER
from app.events.generator import Settings, generate
from app.events.ledger import Ledger
from app.local.gcs import gcs_emulator
from tests.batch.job_process import ROOT, Jobs, answers, contents, expected, job_environment, jobs, ledger, left_over
from tests.conftest import UNAVOIDABLE

pytestmark = pytest.mark.integration

REAL = [ROOT.parent / "shared" / "data" / f"rees46-2019-{month}-head.csv.gz" for month in ("oct", "nov")]


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    with jobs(tmp_path_factory.mktemp("jobs")) as started:
        yield started


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A plain file of many splits, bad rows in it, and a gzip file that repeats its second half and has CRLF."""
    folder = tmp_path_factory.mktemp("events")
    plain, packed = folder / "a.csv", folder / "b.csv.gz"
    with plain.open("wb") as file:
        file.writelines(generate(Settings(events=30_000, seed=7, bad=0.01)))
    rows = plain.read_bytes().splitlines()
    packed.write_bytes(gzip.compress(b"\r\n".join([HEADER, *rows[len(rows) // 2 :]])))
    return [plain, packed]


@pytest.fixture(scope="module")
def done(job: Jobs, files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("done") / "out"
    outcome = job.run("--events", *files, "--out", out, "--split-mb", "1")
    assert outcome.code == 0, outcome.said
    return out


def test_answers_and_ledger_are_those_of_an_independent_count(done: Path, files: list[Path]) -> None:
    expected_answers, expected_ledger = expected(files)
    assert ledger(done) == expected_ledger
    assert expected_ledger.bad > 0
    assert expected_ledger.duplicates > 10_000
    found = answers(done)
    for name, question in QUESTIONS.items():
        assert found[name].schema.equals(question.schema), name
        assert found[name].to_pylist() == expected_answers[name].to_pylist(), name


def test_duckdb_holds_the_answers_of_the_parquet_files(done: Path) -> None:
    with duckdb.connect(done / "batch.duckdb", read_only=True) as database:
        database.execute("SET TimeZone = 'UTC'")
        for name, table in answers(done).items():
            assert database.table(name).to_arrow_table().to_pylist() == table.to_pylist(), name


def test_the_sources_in_duckdb_add_up_to_the_ledger(done: Path) -> None:
    with duckdb.connect(done / "batch.duckdb", read_only=True) as database:
        sums = database.execute("SELECT sum(rows), sum(events), sum(duplicates), sum(bad) FROM sources").fetchall()
    assert Ledger(*map(int, sums[0])) == ledger(done)


def test_a_second_run_leaves_the_same_content(job: Jobs, done: Path, files: list[Path]) -> None:
    before = contents(done)
    run_before = (done / "latest").readlink()
    outcome = job.run("--events", *files, "--out", done, "--json")
    assert outcome.code == 0, outcome.said
    report = json.loads(outcome.printed)
    assert Ledger(**report["ledger"]) == ledger(done)
    assert set(report["seconds"]) == {"spark", "reading", "duplicates", "facts", "questions", "stores"}
    assert set(report["stores"]) == {"embedded"}
    assert report["not_loaded"] == {}
    assert (done / "latest").readlink() != run_before
    assert contents(done) == before


@pytest.mark.skipif(not all(file.exists() for file in REAL), reason=f"{UNAVOIDABLE}the real rows are not here")
def test_real_rows_are_answered_as_by_an_independent_count(job: Jobs, tmp_path: Path) -> None:
    assert job.run("--events", *REAL, "--out", tmp_path / "out").code == 0
    expected_answers, expected_ledger = expected(REAL)
    assert ledger(tmp_path / "out") == expected_ledger
    found = answers(tmp_path / "out")
    assert {name: found[name].to_pylist() for name in QUESTIONS} == {
        name: expected_answers[name].to_pylist() for name in QUESTIONS
    }


def test_half_of_the_rows_bad_costs_no_good_one(job: Jobs, tmp_path: Path) -> None:
    file = tmp_path / "half.csv"
    good = b"".join(generate(Settings(events=4_000, seed=3))).splitlines()[1:]
    chance = random.Random(1)
    rows = [row for line in good for row in (line, b"no event " + chance.randbytes(9).hex().encode())]
    file.write_bytes(b"\n".join([HEADER, *rows]) + b"\n")
    out = tmp_path / "out"
    assert job.run("--events", file, "--out", out).code == 0
    distinct = len(set(good))
    assert ledger(out) == Ledger(8_000, distinct, 4_000 - distinct, 4_000)
    bad = pq.ParquetDataset(out / "bad_events").read()
    numbered = dict(zip(bad["source_row"].to_pylist(), bad["raw"].to_pylist(), strict=True))
    assert numbered == {number: row for number, row in enumerate(rows, 1) if row.startswith(b"no event")}


def test_empty_files_and_files_of_a_header_give_empty_answers(job: Jobs, tmp_path: Path) -> None:
    empty, header, packed = tmp_path / "empty.csv", tmp_path / "header.csv", tmp_path / "header.csv.gz"
    empty.touch()
    header.write_bytes(HEADER + b"\r\n")
    packed.write_bytes(gzip.compress(HEADER))
    out = tmp_path / "out"
    outcome = job.run("--events", empty, header, packed, "--out", out)
    assert outcome.code == 0, outcome.said
    assert ledger(out) == Ledger(0, 0, 0, 0)
    found = answers(out)
    assert all(found[name].schema.equals(question.schema) for name, question in QUESTIONS.items())
    assert {name for name, table in found.items() if len(table)} <= {"session_funnel"}


def test_a_file_that_is_not_csv_is_kept_as_bad_rows(job: Jobs, tmp_path: Path) -> None:
    file = tmp_path / "photo.csv"
    data = random.Random(5).randbytes(300_000)
    file.write_bytes(data)
    out = tmp_path / "out"
    assert job.run("--events", file, "--out", out).code == 0
    rows = data.count(b"\n") + (not data.endswith(b"\n"))
    assert ledger(out) == Ledger(rows, 0, 0, rows)


def test_files_added_and_replaced_are_answered_as_in_one_run(job: Jobs, files: list[Path], tmp_path: Path) -> None:
    first, second, third, out = (tmp_path / name for name in ("1.csv", "2.csv", "3.csv", "out"))
    header, *rows = files[0].read_bytes().splitlines(keepends=True)
    for file, part in ((first, rows[:9_000]), (second, rows[5_000:7_000]), (third, rows[8_000:12_000])):
        file.write_bytes(header + b"".join(part))
    outcome = job.run("--events", first, second, "--out", out)
    assert outcome.code == 0, outcome.said
    second.write_bytes(header + b"".join(rows[12_000:16_000]))
    outcome = job.run("--add", third, second, "--replace", first, "--out", out)
    assert outcome.code == 0, outcome.said
    found = contents(out)
    assert job.run("--events", third, second, "--out", tmp_path / "whole").code == 0
    assert found == contents(tmp_path / "whole")
    assert not left_over(out)


def test_files_cannot_be_added_where_there_is_no_run_before(job: Jobs, files: list[Path], tmp_path: Path) -> None:
    outcome = job.run("--add", files[0], "--out", tmp_path / "out")
    assert outcome.code == 2
    assert "read all files once with --events" in outcome.said


def test_a_missing_file_changes_nothing(job: Jobs, done: Path, files: list[Path]) -> None:
    before = (done / "latest").readlink()
    for path, said in (
        ("/no/such/file.csv", "/no/such/file.csv does not exist"),
        ("/no/[/such]/[old]file.csv", "no file matches /no/[/such]/[old]file.csv"),
    ):
        outcome = job.run("--events", files[0], path, "--out", done)
        assert outcome.code == 4
        assert said in outcome.said
        assert (done / "latest").readlink() == before


def test_a_damaged_file_changes_nothing(job: Jobs, done: Path, files: list[Path], tmp_path: Path) -> None:
    before = (done / "latest").readlink()
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(files[1].read_bytes()[:-5_000])
    outcome = job.run("--events", cut, "--out", done)
    assert outcome.code == 4
    assert "cut.csv.gz" in outcome.said
    assert "Traceback" not in outcome.said
    assert (done / "latest").readlink() == before


def test_a_wrong_setting_is_told_before_spark_starts(job: Jobs, files: list[Path], tmp_path: Path) -> None:
    outcome = job.run("--events", files[0], "--out", tmp_path / "out", "--memory", "lots")
    assert outcome.code == 2
    assert "'lots'" in outcome.said


def test_a_full_disk_is_told_with_what_is_needed(job: Jobs, files: list[Path], tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", str(disk).encode(), b"tmpfs", 0, b"size=600k"):
        pytest.skip(f"{UNAVOIDABLE}only root can mount a small disk")
    try:
        outcome = job.run("--events", files[0], "--out", disk / "out")
        assert outcome.code == 5, outcome.said
        assert "needs about" in outcome.said
        assert str(disk) in outcome.said
        assert "Traceback" not in outcome.said
        assert not (disk / "out" / "latest").exists()
        assert not list((disk / "out" / "runs").iterdir())
    finally:
        libc.umount2(str(disk).encode(), 2)


def test_objects_in_cloud_storage_are_read_as_files_are(files: list[Path], done: Path, tmp_path: Path) -> None:
    with gcs_emulator() as emulator:
        emulator.create_bucket("shop-events")
        upload = (
            "import sys; from app.gcp.clients import storage_client; bucket = storage_client().bucket('shop-events');"
            "[bucket.blob(f.rpartition('/')[2]).upload_from_filename(f) for f in sys.argv[1:]]"
        )
        environment = job_environment() | emulator.environment
        subprocess.run([sys.executable, "-c", upload, *map(str, files)], env=environment, cwd=ROOT, check=True)
        with jobs(tmp_path, **emulator.environment) as cloud:
            outcome = cloud.run("--events", "gs://shop-events/*", "--out", tmp_path / "out", "--split-mb", "1")
        assert outcome.code == 0, outcome.said
    found, local = contents(tmp_path / "out"), contents(done)
    assert found.pop("bad_events") != local.pop("bad_events")  # these name the objects
    assert found == local


def test_files_of_the_run_may_be_in_cloud_storage(files: list[Path], done: Path, tmp_path: Path) -> None:
    jar = _gcs_connector(tmp_path)
    with gcs_emulator() as emulator:
        emulator.create_bucket("staging")
        with jobs(tmp_path, **emulator.environment) as cloud:
            staging = ("--staging", "gs://staging/batch", "--gcs-connector", jar)
            outcome = cloud.run("--events", *files, "--out", tmp_path / "out", "--split-mb", "1", *staging)
            assert outcome.code == 0, outcome.said
            assert contents(tmp_path / "out") == contents(done)
            # What the run keeps in Cloud Storage is enough to answer everything again.
            again = cloud.run("--add", "--out", tmp_path / "out", *staging)
        assert again.code == 0, again.said
        kept = {file.parts[len(emulator.folder.parts) + 3] for file in emulator.folder.rglob("*.parquet")}
        assert kept == {"events", "bad_events", "repeats"}
    assert contents(tmp_path / "out") == contents(done)


def _gcs_connector(folder: Path) -> Path:
    if not shutil.which("mvn"):
        pytest.skip(f"{UNAVOIDABLE}the connector's jar comes by Maven, which is not here")
    artifact = "com.google.cloud.bigdataoss:gcs-connector:3.1.3:jar:shaded"
    command = ["mvn", "-q", "dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={folder}"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
    return folder / "gcs-connector-3.1.3-shaded.jar"


@pytest.mark.parametrize("stage", ["reading", "facts", "questions", "stores"])
def test_a_killed_run_shows_nothing_and_the_next_one_is_whole(
    stage: str, done: Path, job: Jobs, files: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    before = {"reading": "spark", "facts": "duplicates", "questions": "facts", "stores": "questions"}[stage]
    command = [sys.executable, "-m", "app.batch.job", "--events", *map(str, files), "--out", str(out)]
    process = subprocess.Popen(command, cwd=ROOT, env=job_environment(), stderr=subprocess.PIPE, text=True)
    assert process.stderr
    for line in process.stderr:
        if f"{before} took" in line:
            break
    time.sleep(0.3 if stage != "stores" else 0)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stderr.close()
    assert process.returncode == -signal.SIGKILL
    if stage != "stores":
        assert not (out / "latest").exists()
        assert not (out / "answers").exists()
    outcome = job.run("--events", *files, "--out", out, "--split-mb", "1")
    assert outcome.code == 0, outcome.said
    assert contents(out) == contents(done)
    assert len(list((out / "runs").iterdir())) == 1
    assert not left_over(out)
