"""Settings of the batch side that are wrong are told before anything is declared."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from infra.settings import SettingsError, load
from infra.settings.batch import BatchSettings

GOOGLE = {"gcp:project": "demo-project", "gcp:region": "europe-west1"}


def read(batch: Mapping[str, Any]) -> BatchSettings:
    return load(GOOGLE | {"shop-analytics:batch": json.dumps(batch)}, "dev").batch


@pytest.mark.parametrize(
    ("batch", "key", "allowed"),
    [
        ({"runAt": "25:00"}, "runAt", "a time of day in UTC"),
        ({"run": "laptop"}, "run", "host, dataproc, local, off"),
        ({"events": "my files"}, "events", "files in Cloud Storage"),
        ({"events": "generated:0"}, "events", "files in Cloud Storage"),
        ({"events": "/home/me"}, "events", "files in Cloud Storage"),
        ({"run": "local"}, "events", "a folder of this computer"),
        ({"run": "local", "events": "gs://bucket/events/"}, "events", "a folder of this computer"),
        ({"run": "dataproc", "events": "generated:1000"}, "events", "files that all workers reach"),
        ({"machineType": "large"}, "machineType", "a machine type"),
        ({"machineType": "e2-standard-4"}, "machineType", "a machine of 30,208 MiB"),
        ({"dataDiskGb": 1}, "dataDiskGb", "10 to 65,536"),
        ({"snapshotDays": 0}, "snapshotDays", "1 to 365"),
        ({"cassandraMemoryMb": 100}, "cassandraMemoryMb", "1,024 to"),
        ({"portOffset": 60_000}, "portOffset", "0 to 50,000"),
        ({"operators": ["me"]}, "operators", "a member of IAM"),
    ],
)
def test_a_wrong_setting_names_its_key_and_what_is_allowed(batch: Mapping[str, Any], key: str, allowed: str) -> None:
    with pytest.raises(SettingsError) as told:
        read(batch)
    assert f"shop-analytics:batch.{key}" in str(told.value)
    assert allowed in str(told.value)


@pytest.mark.parametrize(
    "batch",
    [
        {},
        {"run": "dataproc", "machineType": "e2-standard-8"},
        {"run": "local", "events": "/home/me/events"},
        {"events": "gs://my-events/2019/*.csv.gz"},
        {"machineType": "n2-custom-8-65536"},
    ],
)
def test_right_settings_are_taken(batch: Mapping[str, Any]) -> None:
    read(batch)


def test_where_the_job_runs_can_be_said_in_one_word() -> None:
    settings = load(GOOGLE | {"shop-analytics:batch": "dataproc"}, "dev").batch
    assert settings.run == "dataproc"
    assert settings.on_google_cloud
    assert not settings.run_on_host
