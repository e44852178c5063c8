"""Only services that are used are switched on, and they stay on for others."""

import pytest

from tests.infra.environments import KEY, environment

SERVICE = "gcp:projects/service:Service"
_API = {
    "artifactregistry": "artifactregistry",
    "bigquery": "bigquery",
    "billing": "billingbudgets",
    "cloudscheduler": "cloudscheduler",
    "compute": "compute",
    "dataflow": "dataflow",
    "iap": "iap",
    "kms": "cloudkms",
    "logging": "logging",
    "monitoring": "monitoring",
    "projects": "cloudresourcemanager",
    "pubsub": "pubsub",
    "secretmanager": "secretmanager",
    "serviceaccount": "iam",
    "storage": "storage",
}
"""The service behind each module of Pulumi's SDK."""


def enabled(stack: str, **sections: object) -> set[str]:
    services = [service.inputs for service in environment(stack, **sections).all(SERVICE)]
    assert all(service["disableOnDestroy"] is False for service in services)
    return {service["service"].removesuffix(".googleapis.com") for service in services}


@pytest.mark.parametrize(
    "sections",
    [{}, {"stream": "false"}, {"batch": "off"}, {"batch": "dataproc"}, {"security": {"kmsKey": KEY}}],
    ids=["both", "batch alone", "stream alone", "on Dataproc", "with a key"],
)
def test_each_resource_has_its_service(sections: dict[str, object]) -> None:
    modules = {
        one.type.split(":")[1].partition("/")[0]
        for one in environment("dev", **sections).resources
        if one.type.startswith("gcp:")
    }
    assert {_API[module] for module in modules} <= enabled("dev", **sections)


def test_what_is_switched_off_needs_no_services() -> None:
    assert not {"pubsub", "dataflow", "bigquery"} & enabled("dev", stream="false")
    assert not {"dataproc", "cloudscheduler", "cloudkms", "billingbudgets"} & enabled("dev")
    assert "secretmanager" not in enabled("dev", batch="off")
    assert {"dataproc", "cloudscheduler"} <= enabled("dev", batch="dataproc")
