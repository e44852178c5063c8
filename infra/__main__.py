"""The program that `pulumi up` runs: what is in an environment, and what goes from where to where.

    streaming   event files -> Publisher -> Messages -> StreamJob -> Warehouse -> dashboards, and an archive
    batch       event files -> the job and its stores, on a machine, on Dataproc or on this computer
What differs between environments is a setting in their files.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pulumi
from pulumi.runtime.config import CONFIG

from infra.batch_outputs import cloud_batch_outputs, local_batch_outputs
from infra.cloud_batch import CloudBatch, CloudBatchArgs
from infra.dashboard_reader import DashboardReader, DashboardReaderArgs
from infra.foundation import Foundation, FoundationArgs
from infra.image import Image, ImageArgs
from infra.local_batch import LocalBatch, LocalBatchArgs
from infra.messages import Messages, MessagesArgs
from infra.operations import Operations, OperationsArgs, Stream
from infra.publisher import Publisher, PublisherArgs
from infra.settings import load
from infra.stream_job import StreamJob, StreamJobArgs
from infra.stream_outputs import stream_outputs
from infra.warehouse import Warehouse, WarehouseArgs

settings = load(CONFIG.get(), pulumi.get_stack())
place, security = settings.place, settings.security
stream = batch = None

if settings.on_google_cloud:
    ground = Foundation(place.name("foundation"), FoundationArgs(settings))
    key, ready = ground.key, ground.ready

if settings.stream.enabled:
    image = Image(place.name("stream"), ImageArgs(ground.registry, "app/stream/Dockerfile"), ready)
    messages = Messages(place.name("messages"), MessagesArgs(place, settings.messages, key), ready)
    warehouse = Warehouse(place.name("warehouse"), WarehouseArgs(place, settings.warehouse, security, key), ready)
    readers = DashboardReaderArgs(place, warehouse.answers, settings.warehouse.readers)
    reader = DashboardReader(place.name("dashboards"), readers, ready)
    job = StreamJob(place.name("events"), StreamJobArgs(settings, ground, image, messages, warehouse), ready)
    replay = PublisherArgs(settings, ground, image, messages)
    publisher = Publisher(place.name("publisher"), replay, ready) if settings.publisher.enabled else None
    stream = Stream(messages, warehouse, reader, job, publisher)
    stream_outputs(ground, messages, warehouse, reader, job)

if settings.batch.on_google_cloud:
    batch = CloudBatch(place.name("batch"), CloudBatchArgs(settings, ground), ready)
    cloud_batch_outputs(place, batch, settings.batch.port_offset)

if settings.batch.run == "local":
    here = LocalBatchArgs(place.environment, settings)
    local_batch_outputs(place.environment, LocalBatch(place.name("batch"), here))

if settings.on_google_cloud:
    Operations(place.name("operations"), OperationsArgs(settings, ground, stream, batch), ready).export()
