"""On Dataflow the workers are what the program says now, whatever the running job was started with."""

import pytest
from apache_beam.options.pipeline_options import WorkerOptions

from app.stream.pipeline import choose_workers, tuned
from app.stream.settings import Settings


@pytest.mark.parametrize(
    ("own", "expected"), [([], "before"), (["--worker_image=now", "--worker_type=now"], "now")], ids=["none", "own"]
)
def test_the_pipelines_own_options_of_its_workers_outweigh_beams(own: list[str], expected: str) -> None:
    beams = ["--sdk_container_image=before", "--machine_type=before"]
    options = tuned(["--subscription=projects/p/subscriptions/s", "--dataset=p.shop", *beams, *own])
    choose_workers(options, Settings.from_options(options))
    workers = options.view_as(WorkerOptions)
    assert (workers.sdk_container_image, workers.machine_type) == (expected, expected)
