"""Spark as the job wants it: in UTC, quiet, with little to start on one machine, and Cloud Storage where asked for."""

import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.batch.errors import SparkEndedError, SparkMissingError
from app.batch.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_REPOSITORY: Final = Path(__file__).parents[2]
_JAVA_ADVICE: Final = (
    "Spark needs Java 17 or newer: install it (Debian: apt-get install openjdk-17-jre-headless, macOS: brew install "
    "openjdk@17) and put java on the PATH, or set JAVA_HOME to its folder"
)

_MOMENT_SECONDS: Final = 2

_SETTINGS: Final = {
    "spark.app.name": "shop-batch",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # Parquet from pyarrow counts days as everybody does; Spark would look for those of its old calendar.
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    # As pyarrow writes them: microseconds in UTC, not Spark's old type without a time zone.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.scheduler.mode": "FAIR",
}

# On few cores a collector that stops the world costs less than one that runs beside the work.
_JAVA_OPTIONS: Final = "-XX:+UseParallelGC -XX:-UsePerfData"
# The optimizing compiler takes more than it gains in a short run, and in a longer one is kept to code that runs ten
# times as often as Java's defaults ask for.
_SHORT_RUN_BYTES: Final = 2 << 30
# With one compiler Java reserves a fifth of the room for compiled code, which several runs in one process would fill.
_SHORT_RUN_OPTIONS: Final = f"{_JAVA_OPTIONS} -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m"
_LONG_RUN_OPTIONS: Final = (
    f"{_JAVA_OPTIONS} -XX:Tier4InvocationThreshold=50000 -XX:Tier4MinInvocationThreshold=6000 "
    "-XX:Tier4CompileThreshold=150000 -XX:Tier4BackEdgeThreshold=400000"
)

_LOOPBACK: Final = "127.0.0.1"
_LOCAL_SETTINGS: Final = {
    "spark.driver.host": _LOOPBACK,
    "spark.driver.bindAddress": _LOOPBACK,
    "spark.shuffle.compress": "true",
    "spark.io.compression.codec": "lz4",
}

# Hadoop 3.5 gives these with a suffix that the connector does not read.
_GCS_SIZES: Final = {
    "spark.hadoop.fs.gs.block.size": "67108864",
    "spark.hadoop.fs.gs.outputstream.buffer.size": "8388608",
    "spark.hadoop.fs.gs.outputstream.upload.chunk.size": "8388608",
    "spark.hadoop.fs.gs.inputstream.inplace.seek.limit": "8388608",
    "spark.hadoop.fs.gs.inputstream.min.range.request.size": "2097152",
    "spark.hadoop.fs.gs.rewrite.max.chunk.size": "536870912",
}


@contextmanager
def spark_session(settings: Settings, local_dir: Path, event_bytes: int = 0) -> Iterator["SparkSession"]:
    """Start Spark, and stop it at the end.

    Args:
        settings: the job's.
        local_dir: for Spark's temporary files on one machine.
        event_bytes: about how many bytes the events are as plain text, for which Java is set up.

    Raises:
        SparkMissingError: PySpark or Java is missing, or Spark did not start.
        SparkEndedError: Java ended before the block did.
    """
    try:
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise SparkMissingError("The package pyspark is missing. Install the extra: pip install '.[batch]'") from error
    if settings.is_local:
        _use_this_python(settings, local_dir)
        # No setting says where executors on this machine give their results away: it would be at one of the machine's
        # other addresses, which may go away in the middle of a run, with the results.
        os.environ["SPARK_LOCAL_IP"] = os.environ["SPARK_LOCAL_HOSTNAME"] = _LOOPBACK
    builder = SparkSession.builder
    for key, value in spark_settings(settings, local_dir, event_bytes).items():
        builder = builder.config(key, value)
    try:
        spark = builder.getOrCreate()
    except (PySparkException, OSError) as error:
        raise SparkMissingError(f"Spark did not start ({error}). {_JAVA_ADVICE}") from error
    spark.sparkContext.setLogLevel("ERROR")
    try:
        with _sent_code(spark) if settings.is_cluster else nullcontext():
            yield spark
    except (Py4JError, OSError) as error:
        if _java_ended(spark):
            raise SparkEndedError(
                "Spark's Java process ended in the middle of the run, as it does where the machine has no memory left. "
                f"Free some, or give Spark less than {settings.memory} with --memory. The store is as it was before"
            ) from error
        raise
    finally:
        with suppress(Py4JError, OSError):  # Java has ended, and Spark with it
            spark.stop()


def _java_ended(spark: "SparkSession") -> bool:
    """Whether the Java process that this process started is over, or is within a moment."""
    process = getattr(spark.sparkContext._gateway, "proc", None)
    try:
        return process is not None and process.wait(_MOMENT_SECONDS) is not None
    except subprocess.TimeoutExpired:
        return False


def spark_settings(settings: Settings, local_dir: Path, event_bytes: int = 0) -> dict[str, str]:
    """All of Spark's settings of a run; the arguments are those of `spark_session`."""
    chosen = dict(_SETTINGS)
    partitions = settings.shuffle_partitions or (2 * (os.cpu_count() or 1) if settings.is_local else None)
    if partitions:
        chosen["spark.sql.shuffle.partitions"] = str(partitions)
    if settings.is_local:
        chosen |= _LOCAL_SETTINGS | {
            "spark.master": settings.master,
            "spark.driver.memory": settings.memory,
            "spark.driver.extraJavaOptions": (
                _SHORT_RUN_OPTIONS if event_bytes < _SHORT_RUN_BYTES else _LONG_RUN_OPTIONS
            ),
            "spark.local.dir": str(local_dir),
        }
    if settings.gcs_connector:
        chosen |= _gcs_settings(settings.gcs_connector)
    return chosen | dict(settings.spark)


def _gcs_settings(connector: str) -> dict[str, str]:
    chosen = {
        "spark.jars": connector,
        # The connector calls a method for it that Hadoop 3.5 has no more.
        "spark.hadoop.parquet.hadoop.vectored.io.enabled": "false",
        "spark.hadoop.fs.gs.impl": "com.google.cloud.hadoop.fs.gcs.GoogleHadoopFileSystem",
        "spark.hadoop.fs.AbstractFileSystem.gs.impl": "com.google.cloud.hadoop.fs.gcs.GoogleHadoopFS",
        **_GCS_SIZES,
    }
    emulator = os.environ.get("STORAGE_EMULATOR_HOST")
    if emulator:
        chosen |= {
            "spark.hadoop.fs.gs.storage.root.url": emulator.rstrip("/") + "/",
            "spark.hadoop.fs.gs.auth.type": "UNAUTHENTICATED",
            "spark.hadoop.fs.gs.project.id": os.environ.get("GOOGLE_CLOUD_PROJECT", "demo-project"),
        }
    return chosen


@contextmanager
def _sent_code(spark: "SparkSession") -> Iterator[None]:
    """Give the executors the code that this process runs; the packages that it needs must be on their machines."""
    with tempfile.TemporaryDirectory() as folder:  # they take it from there when they start
        package = Path(folder, "app.zip")
        with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(_REPOSITORY.glob("app/**/*.py")):
                archive.write(file, file.relative_to(_REPOSITORY))
        spark.sparkContext.addPyFile(str(package))
        yield


def _spark_home(home: Path) -> str:
    """An installation of Spark in a folder where a cluster on this machine may put its work."""
    import pyspark

    home.mkdir(parents=True, exist_ok=True)
    for part in Path(pyspark.__path__[0]).iterdir():
        if not (home / part.name).exists():
            (home / part.name).symlink_to(part)
    return str(home)


def _use_this_python(settings: Settings, local_dir: Path) -> None:
    """Make Spark's workers on this machine run this Python, and find this code where they are not sent it."""
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    if settings.is_cluster:
        os.environ["SPARK_HOME"] = _spark_home(local_dir / "home")
        return
    paths = [str(_REPOSITORY), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
