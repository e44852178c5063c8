"""The streaming pipeline: Pub/Sub to BigQuery and Cloud Storage.

On one machine, against the emulators (`scripts/demo` does all of this):

    python -m app.stream.pipeline --runner=FnApiRunner --pull --until_idle=5 \
        --subscription=projects/demo-project/subscriptions/events --dataset=demo-project.shop \
        --archive=gs://shop-archive

On Dataflow it runs from a Flex Template, whose parameters are the same options.
"""

import argparse
import logging
import sys
import time
from collections.abc import Sequence

import apache_beam as beam
import pyarrow as pa
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions, WorkerOptions
from apache_beam.runners.portability.fn_api_runner import worker_handlers

from app.events.csv_codec import Decoded, stored
from app.stream.activity import CountCells, MarkRebuilt, SplitIntoCells
from app.stream.archive import ArchiveRows
from app.stream.bad_rows import bad_rows, refused_row
from app.stream.decode_blocks import DecodeBlocks
from app.stream.read_blocks import ReadBlocks
from app.stream.rebuild import ReadEventLog
from app.stream.settings import Settings, SettingsError, StreamOptions
from app.stream.write_rows import WriteRows

_EPILOG = """
examples:
  scripts/stream --runner=FnApiRunner --pull --until_idle=5 --dataset=demo-project.shop \\
      --subscription=projects/demo-project/subscriptions/events
  scripts/stream --runner=DataflowRunner --project=my-project --region=europe-west1 --dataset=my-project.shop \\
      --subscription=projects/my-project/subscriptions/events --archive=gs://my-bucket/archive

exit codes: 0 ended, or started on Dataflow; 1 failed; 2 settings are not valid
"""


def build(pipeline: beam.Pipeline, settings: Settings) -> None:
    """Lay out the pipeline: blocks are decoded to batches; these are archived and stored, and counted once stored."""
    decoded = (
        pipeline
        | "Read" >> ReadBlocks(settings.subscription, pull=settings.pull, until_idle=settings.until_idle)
        | "Decode" >> DecodeBlocks(settings.plausible_days)
    )
    events = decoded | "Events" >> beam.Map(_events).with_output_types(pa.RecordBatch)
    written = events | "Write events" >> WriteRows(settings.dataset, "event_log")
    bad = decoded | "Bad events" >> beam.Map(bad_rows).with_output_types(pa.RecordBatch)
    refused = written.refused | "Refused events" >> beam.Map(refused_row).with_output_types(pa.RecordBatch)
    # Each by a step of its own: a runner on one machine acknowledges what was read when the steps that are fused with
    # the source are done, and what comes after a Flatten would be done later.
    bad | "Write bad events" >> WriteRows(settings.dataset, "bad_event_log")
    refused | "Write refused events" >> WriteRows(settings.dataset, "bad_event_log")
    if settings.archive:
        decoded | "Archive" >> ArchiveRows(settings.archive, settings.archive_every_seconds, settings.shards)

    cells = written.stored | "Split" >> SplitIntoCells(settings.shards)
    if settings.rebuild:
        known = (
            pipeline
            | "Known" >> ReadEventLog(settings.dataset)
            | "Split known" >> SplitIntoCells(settings.shards)
            | "Mark known" >> MarkRebuilt()
        )
        cells = (cells, known) | "All" >> beam.Flatten()
    activity = cells | "Count" >> CountCells(settings.count_every_seconds, settings.keep_days)
    activity.minutes | "Write activity" >> WriteRows(settings.dataset, "activity_log")
    activity.sessions | "Write sessions" >> WriteRows(settings.dataset, "session_log")


def _events(decoded: Decoded) -> pa.RecordBatch:
    return stored(decoded.events, time.time_ns() // 1_000)


def tuned(arguments: Sequence[str]) -> PipelineOptions:
    """Beam's options, set for state like ours.

    A cell's state is read once in a while and then replaced. Beam's cache of it would gain nothing, and weighs each
    value by a walk through all objects of the process, which costs more than the pipeline itself.
    """
    options = PipelineOptions(list(arguments))
    options.view_as(WorkerOptions).max_cache_memory_usage_mb = 0
    worker_handlers.STATE_CACHE_SIZE_MB = 0  # FnApiRunner does not read the option
    return options


def choose_workers(options: PipelineOptions, settings: Settings) -> None:
    """Let the pipeline's own options of the workers outweigh Beam's.

    Who updates a job by Terraform's provider sends Beam's options as the running job has them, not as they should be.
    """
    workers = options.view_as(WorkerOptions)
    workers.sdk_container_image = settings.worker_image or workers.sdk_container_image
    workers.machine_type = settings.worker_type or workers.machine_type


def run(arguments: Sequence[str]) -> None:
    """Run the pipeline of these options; on Dataflow, start it. Raises SettingsError."""
    options = tuned(arguments)
    settings = Settings.from_options(options)
    options.view_as(StandardOptions).streaming = not settings.pull
    choose_workers(options, settings)
    pipeline = beam.Pipeline(options=options)
    build(pipeline, settings)
    result = pipeline.run()
    if settings.pull:
        result.wait_until_finish()


def main() -> int:
    """Run from the command line; 2 is the exit code for settings that are not valid."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    parser = argparse.ArgumentParser(
        prog="scripts/stream",
        description="Run the streaming pipeline. Beam's own options, such as --runner and --project, are taken too.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    StreamOptions._add_argparse_args(parser)
    parser.parse_known_args()
    try:
        run(sys.argv[1:])
    except SettingsError as error:
        sys.stderr.write(f"{error}\nscripts/stream --help has all options.\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
