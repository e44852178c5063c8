import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from app.batch.errors import BatchError
from app.batch.staging import staging_folder
from app.batch.stores import Run
from tests.batch.job_process import ROOT

KILLED = """
import os, signal, sys
from app.batch.staging import staging_folder
from app.batch.stores import Run
with staging_folder(sys.argv[1], Run.begin()) as folder:
    folder.write_bytes("events/part.parquet", b"rows")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def names(root: Path) -> set[str]:
    return {path.name for path in root.iterdir()}


def test_a_run_has_a_folder_of_its_own_that_is_gone_after_it(tmp_path: Path) -> None:
    root = tmp_path / "not" / "yet" / "there"
    with staging_folder(str(root), Run.begin()) as folder:
        folder.write_bytes("events/part.parquet", b"rows")
        assert len(names(root)) == 1
    assert not names(root)


def test_an_error_of_the_run_leaves_no_folder(tmp_path: Path) -> None:
    with suppress(ZeroDivisionError), staging_folder(str(tmp_path), Run.begin()):
        raise ZeroDivisionError
    assert not names(tmp_path)


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, tmp_path], cwd=ROOT, check=False)
    (left,) = names(tmp_path)
    with staging_folder(str(tmp_path), Run.begin()):
        assert left not in names(tmp_path)
        assert len(names(tmp_path)) == 1


def test_the_folder_of_a_run_under_way_stays_when_another_begins(tmp_path: Path) -> None:
    with staging_folder(str(tmp_path), Run.begin()) as first:
        first.write_bytes("events/part.parquet", b"rows")
        with staging_folder(str(tmp_path), Run.begin()):
            assert first.exists("events/part.parquet")
        assert first.exists("events/part.parquet")


def test_nothing_of_the_user_is_removed(tmp_path: Path) -> None:
    own = tmp_path / "run-experiments"
    own.mkdir()
    with staging_folder(str(tmp_path), Run.begin()):
        assert own.exists()
    assert own.exists()


def test_a_place_where_no_folder_can_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    root = str(tmp_path / "file" / "staging")
    with pytest.raises(BatchError, match=f"{root} cannot be written.*--staging"), staging_folder(root, Run.begin()):
        pass
