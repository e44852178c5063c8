"""What ends a run without a result. Each error has the exit code of the command and says what to do."""

from typing import ClassVar


class BatchError(RuntimeError):
    """The job cannot go on; the store is as it was before the run."""

    exit_code: ClassVar[int] = 1


class SettingsError(BatchError):
    """A setting is not allowed; the message names it, its value and what is allowed."""

    exit_code = 2


class SourceError(BatchError):
    """An event file is missing or cannot be read."""

    exit_code = 4


class DiskFullError(BatchError):
    """No space is left where the run writes."""

    exit_code = 5


class SparkMissingError(BatchError):
    """Spark cannot start on this machine."""

    exit_code = 6


class SparkEndedError(BatchError):
    """Spark's Java process ended in the middle of the run."""


class StoreBusyError(BatchError):
    """Another run is writing to the same store."""

    exit_code = 7


class StoreError(BatchError):
    """A store cannot be reached, refuses or fails; the message names it, its address and what to do."""

    exit_code = 8
