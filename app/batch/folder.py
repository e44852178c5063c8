"""A folder that Spark's tasks and the driver write to: local, or in Cloud Storage."""

import json
import os
import shutil
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from app.batch.errors import BatchError

_COMPRESSION: Final = "zstd"
_COPIES_AT_ONCE: Final = 16
# Nearly every event has another value there: a dictionary would only be built to be thrown away.
_NO_DICTIONARY: Final = ("event_id",)
_FEW_VALUES: Final = ("event_type", "category_code", "department", "sub_category", "product", "brand")
_ROW_GROUPS: Final = "row_groups"
_ONE_GROUP: Final[Mapping[str, int]] = {}


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder by its path or gs:// address; names are relative to it. Files replace files of the same name."""

    root: str

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine."""
        return "://" not in self.root

    def path(self, name: str) -> str:
        """The address of what has this name."""
        return f"{self.root}/{name}"

    def make(self, *names: str) -> None:
        """Make folders, the folder itself too; Cloud Storage has none to make."""
        if self.is_local:
            for name in ("", *names):
                Path(self.root, name).mkdir(parents=True, exist_ok=True)

    def write_bytes(self, name: str, data: bytes) -> None:
        """Write a file. Raises OSError."""
        with self._open(name, "wb") as file:
            file.write(data)

    def swap_bytes(self, name: str, data: bytes) -> None:
        """Write a file of which a reader sees what was there before or all of the new. Raises OSError."""
        if not self.is_local:  # an object is there when all of it is
            self.write_bytes(name, data)
            return
        part = f"{name}.part"
        self.write_bytes(part, data)
        Path(self.root, part).replace(Path(self.root, name))

    def take(self, files: Mapping[str, str]) -> None:
        """Have files of other folders of the same kind here too, by their addresses: links on one disk, else copies.

        `files` gives the address of each name. Raises OSError.
        """
        if self.is_local:
            for name, address in files.items():
                target = Path(self.root, name)
                target.parent.mkdir(parents=True, exist_ok=True)
                link_or_copy(address, str(target))
        elif files:
            filesystem = self._filesystem()
            with ThreadPoolExecutor(_COPIES_AT_ONCE, "copy") as pool:
                list(pool.map(lambda name: filesystem.cp_file(files[name], self.path(name)), files))

    def write_table(self, name: str, table: pa.Table, row_groups: Mapping[str, int] = _ONE_GROUP) -> None:
        """Write a Parquet file that Spark, DuckDB and BigQuery read at their fastest.

        `row_groups` are the names of its row groups with the numbers of their rows, if they shall be read one by one;
        none of them is empty. Raises OSError.
        """
        dictionary = [column for column in table.schema.names if column not in _NO_DICTIONARY]
        options = {"compression": _COMPRESSION, "use_dictionary": dictionary, "store_decimal_as_integer": True}
        with self._open(name, "wb") as file, pq.ParquetWriter(file, table.schema, **options) as writer:
            if not row_groups:
                writer.write_table(table)
                return
            begin = 0
            for size in row_groups.values():
                writer.write_table(table.slice(begin, size), row_group_size=size)
                begin += size
            writer.add_key_value_metadata({_ROW_GROUPS: json.dumps(list(row_groups))})

    def read_table(self, name: str, columns: list[str] | None = None, *, coded: bool = False) -> pa.Table:
        """Read a Parquet file, columns as in the file, all of them unless some are named.

        Those named of an event's texts that have few different values come as dictionaries if they are wanted `coded`,
        which takes less time. Raises OSError.
        """
        with self.open_input(name) as file:
            return _parquet(file, columns, coded=coded).read(columns, use_threads=False)

    def read_row_groups(
        self, name: str, columns: list[str], row_groups: Collection[str], *, coded: bool = False
    ) -> pa.Table:
        """Read row groups of a Parquet file by their names, those that it has, and nothing else of it.

        `coded` is as `read_table` has it.

        Raises:
            OSError: it cannot be read.
            BatchError: its row groups have no names.
        """
        with self.open_input(name) as file:
            parquet = _parquet(file, columns, coded=coded)
            names = (parquet.metadata.metadata or {}).get(_ROW_GROUPS.encode())
            if names is None:
                raise BatchError(
                    f"{self.path(name)} is of another version of the job; read all files anew with --events"
                )
            wanted = [place for place, group in enumerate(json.loads(names)) if group in row_groups]
            return parquet.read_row_groups(wanted, columns, use_threads=False)

    def open_input(self, name: str) -> Any:
        """Open a file for reading with `read` and `seek`. Raises OSError."""
        return self._open(name, "rb")

    def exists(self, name: str) -> bool:
        """Whether there is a file of this name."""
        if self.is_local:
            return Path(self.root, name).is_file()
        return bool(self._filesystem().exists(self.path(name)))

    def names(self) -> list[str]:
        """What is directly in the folder, files and folders, by name; empty where there is no such folder."""
        if self.is_local:
            return sorted(path.name for path in Path(self.root).iterdir()) if Path(self.root).is_dir() else []
        filesystem = self._filesystem()
        if not filesystem.exists(self.root):
            return []
        return sorted(path.rstrip("/").rpartition("/")[2] for path in filesystem.ls(self.root, detail=False))

    def below(self, name: str) -> "Folder":
        """The folder of this name."""
        return Folder(self.path(name))

    def delete(self, name: str) -> None:
        """Delete a file. Raises OSError."""
        if self.is_local:
            Path(self.root, name).unlink()
        else:
            self._filesystem().rm_file(self.path(name))

    def remove(self) -> None:
        """Remove the folder with all that is in it, as far as that is possible."""
        if self.is_local:
            shutil.rmtree(self.root, ignore_errors=True)
        elif self._filesystem().exists(self.root):
            self._filesystem().rm(self.root, recursive=True)

    def _open(self, name: str, mode: str) -> Any:
        if not self.is_local:
            return self._filesystem().open(self.path(name), mode)
        file = Path(self.root, name)
        if mode == "wb":
            file.parent.mkdir(parents=True, exist_ok=True)
        return file.open(mode)

    def _filesystem(self) -> Any:
        import fsspec

        # The emulator takes anybody; without a word gcsfs would look for credentials.
        options = {"token": "anon"} if os.environ.get("STORAGE_EMULATOR_HOST") else {}
        return fsspec.core.url_to_fs(self.root, **options)[0]


def _parquet(file: Any, columns: list[str] | None, *, coded: bool) -> pq.ParquetFile:
    return pq.ParquetFile(file, read_dictionary=[name for name in columns or () if coded and name in _FEW_VALUES])


def link_or_copy(source: str, target: str) -> None:
    """Make a local file have a second name, or where that is on another disk, a copy. Raises OSError."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
