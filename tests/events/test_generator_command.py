"""The command that generates events: what it writes, where, and how it ends."""

import gzip
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from app.events.generator import Settings, generate
from app.events.generator_command import main

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-c", "import sys; from app.events.generator_command import main; sys.exit(main())"]


def test_a_file_holds_what_the_function_generates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "events.csv"
    assert main(["--events", "3_000", "--seed", "7", "--bad", "0.01", "--out", str(out)]) == 0
    assert out.read_bytes() == b"".join(generate(Settings(3_000, seed=7, bad=0.01)))
    summary = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert summary["rows"] == 3_000 == summary["events"] + summary["duplicates"] + summary["bad"]
    assert summary["bad"] == 30 == sum(summary["bad_by_reason"].values())
    assert os.listdir(out.parent) == ["events.csv"]  # noqa: PTH208 - nothing else is left


def test_a_name_that_ends_in_gz_is_packed_the_same_every_time(tmp_path: Path) -> None:
    files = [tmp_path / "a.csv.gz", tmp_path / "b.csv.gz"]
    for file in files:
        assert main(["--events", "2000", "--crlf", "--no-header", "--out", str(file)]) == 0
    assert gzip.decompress(files[0].read_bytes()) == b"".join(generate(Settings(2_000, crlf=True, header=False)))
    assert files[0].read_bytes() == files[1].read_bytes()


def test_standard_output_gets_the_rows_and_nothing_else() -> None:
    done = subprocess.run([*COMMAND, "--events", "500"], cwd=ROOT, check=True, capture_output=True)
    assert done.stdout == b"".join(generate(Settings(500)))
    assert json.loads(done.stderr)["rows"] == 500


def test_a_reader_that_stops_early_gets_no_traceback() -> None:
    with subprocess.Popen(
        [*COMMAND, "--events", "300_000"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(100)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) == 1


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(
        [*COMMAND, "--events", "400", "--out", str(pipe)], cwd=ROOT, stderr=subprocess.PIPE
    ) as process:
        data = pipe.read_bytes()
        process.communicate(timeout=30)
    assert process.returncode == 0
    assert data == b"".join(generate(Settings(400)))
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_file_that_is_there_is_replaced_only_by_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "events.csv"
    out.write_text("theirs")
    assert main(["--events", "10", "--out", str(out)]) == 2
    assert "--force" in capsys.readouterr().err
    assert out.read_text() == "theirs"
    assert main(["--events", "10", "--out", str(out), "--force"]) == 0
    assert out.read_bytes() == b"".join(generate(Settings(10)))


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("real.csv")
    assert main(["--events", "10", "--out", str(tmp_path / "link.csv"), "--force"]) == 0
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_bytes() == b"".join(generate(Settings(10)))


def test_a_full_disk_is_said_and_leaves_the_old_file(tmp_path: Path) -> None:
    out = tmp_path / "events.csv"
    out.write_text("old")
    # A limit on the size of files stands for a full disk: the write fails part of the way.
    limited = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
    limited += "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));" + COMMAND[2]
    done = subprocess.run(
        [sys.executable, "-c", limited, "--events", "20_000", "--out", str(out), "--force"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert f"generate: cannot write {out}: File too large" in done.stderr
    assert out.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["events.csv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--events", "-5"], "events is -5: it must be a number of rows from 0"),
        (["--events", "5", "--bad", "1.5"], "bad is 1.5: it must be a share from 0 to 0.9"),
        (["--events", "5", "--days", "0"], "days is 0"),
    ],
)
def test_a_wrong_setting_is_named(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "events.csv"
    assert main([*arguments, "--out", str(out)]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_wrong_date_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--events", "5", "--start", "October"])
    assert ended.value.code == 2
    assert "'October' is no date: write it like 2019-10-01" in capsys.readouterr().err
