"""A folder that Spark's tasks and the driver write to: local, or in Cloud Storage."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

_COMPRESSION: Final = "zstd"
# Nearly every event has another value there: a dictionary would only be built to be thrown away.
_NO_DICTIONARY: Final = ("event_id",)


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

    def write_table(self, name: str, table: pa.Table) -> None:
        """Write a Parquet file that Spark, DuckDB and BigQuery read at their fastest. Raises OSError."""
        dictionary = [column for column in table.schema.names if column not in _NO_DICTIONARY]
        with self._open(name, "wb") as file:
            pq.write_table(
                table, file, compression=_COMPRESSION, use_dictionary=dictionary, store_decimal_as_integer=True
            )

    def read_table(self, name: str) -> pa.Table:
        """Read a Parquet file, columns as in the file. Raises OSError."""
        with self.open_input(name) as file:
            return pq.ParquetFile(file).read(use_threads=False)

    def open_input(self, name: str) -> Any:
        """Open a file for reading with `read` and `seek`. Raises OSError."""
        return self._open(name, "rb")

    def exists(self, name: str) -> bool:
        """Whether there is a file of this name."""
        if self.is_local:
            return Path(self.root, name).is_file()
        return bool(self._filesystem().exists(self.path(name)))

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
