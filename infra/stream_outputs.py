"""What an environment tells of its streaming pipeline: pages to look at, and commands to type."""

from typing import Final

import pulumi

from infra.dashboard_reader import DashboardReader
from infra.foundation import Foundation
from infra.messages import Messages
from infra.stream_job import OUTPUT, StreamJob, warn_of_replacement
from infra.warehouse import Warehouse

_CONSOLE: Final = "https://console.cloud.google.com"


def stream_outputs(
    ground: Foundation, messages: Messages, warehouse: Warehouse, reader: DashboardReader, job: StreamJob
) -> None:
    """Export them; say it where the job will be replaced."""
    place = ground.place
    of_project = f"?project={place.project}"
    concat = pulumi.Output.concat
    pulumi.export(
        "streamLinks",
        {
            "job": concat(f"{_CONSOLE}/dataflow/jobs/{place.region}/", job.job_id, of_project),
            "subscription": concat(f"{_CONSOLE}/cloudpubsub/subscription/detail/", messages.subscription, of_project),
            "warehouse": concat(
                f"{_CONSOLE}/bigquery{of_project}&p={place.project}&d=", warehouse.dataset, "&page=dataset"
            ),
            "answers": concat(
                f"{_CONSOLE}/bigquery{of_project}&p={place.project}&d=", warehouse.answers, "&page=dataset"
            ),
            "archive": concat(f"{_CONSOLE}/storage/browser/", ground.storage.archive, of_project),
        },
    )
    pulumi.export(
        "streamCommands",
        {
            "uploadEvents": concat("scripts/upload 2019-Oct.csv.gz gs://", ground.storage.events, "/events/"),
            "publish": concat("scripts/replay --topic ", messages.topic_path, " 2019-Oct.csv.gz"),
            "buildTableauWorkbook": concat(
                f"scripts/tableau build --dataset {place.project}.", warehouse.answers, " --out build/tableau"
            ),
        },
    )
    pulumi.export("dashboardsAccount", reader.email)
    pulumi.export(OUTPUT, job.identity)
    warn_of_replacement(job)
