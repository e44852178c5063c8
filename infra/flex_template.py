"""The Flex Template of the pipeline: what Dataflow is told of its image, of its options and of the job's environment.

Workers and folders stand here and not at the job: of a job in Python the provider cannot read them back, so that each
refresh would find them gone, and replace the job (terraform-provider-google#21322 and #23797).
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import pulumi

from app.events.time_bounds import EARLIEST_FORM, LATEST_FORM

PARAMETERS: Final = {
    "subscription": ("The subscription that is read", r"projects/[^/]+/subscriptions/[^/]+"),
    "dataset": ("The dataset that is written to, PROJECT.DATASET", r"[^.]+\.[A-Za-z0-9_]+"),
    "archive": ("Where raw rows are archived", r"gs://.+"),
    "count_every_seconds": ("How old a changed count may get", r"[0-9]+"),
    "keep_days": ("How long an hour's events stay in state; 0: always", r"[0-9]+"),
    "archive_every_seconds": ("How old a row that is not archived may get", r"[0-9]+"),
    "shards": ("Parts that an hour is counted in", r"[0-9]+"),
    "earliest": ("First day that an event may have", EARLIEST_FORM),
    "latest": ("Last day that an event may have, or days ahead of now", LATEST_FORM),
    "worker_image": ("The workers' image", r".+"),
    "worker_type": ("The workers' machine type", r".+"),
}
"""The options of `app.stream.settings` that the template takes, each with its meaning and its form."""


def flex_template(image: pulumi.Input[str], environment: Mapping[str, pulumi.Input[Any]]) -> pulumi.Output[str]:
    """Give the template's text for an image.

    `environment` has fields of the service's `FlexTemplateRuntimeEnvironment`, which each launch takes unless it has
    its own (source: Dataflow's REST reference, `ContainerSpec.defaultEnvironment`).
    """
    described = [
        {"name": name, "label": name, "helpText": meaning, "regexes": [form], "isOptional": name not in _NEEDED}
        for name, (meaning, form) in PARAMETERS.items()
    ]
    template: dict[str, Any] = {
        "image": image,
        "sdkInfo": {"language": "PYTHON"},
        "defaultEnvironment": dict(environment),
        "metadata": {
            "name": "Events to BigQuery",
            "description": "Decodes blocks of events, stores, archives and counts them",
            "parameters": described,
            "streaming": True,
            "supportsAtLeastOnce": True,
            "supportsExactlyOnce": True,
        },
    }
    return pulumi.Output.json_dumps(template, sort_keys=True)


_NEEDED: Final = ("subscription", "dataset")


def template_name(job: str, template: pulumi.Output[str]) -> pulumi.Output[str]:
    """The object's name. It follows the content, as a job is updated where the path has changed, and only then."""
    return template.apply(lambda text: f"templates/{job}-{hashlib.sha256(text.encode()).hexdigest()}.json")
