"""Rules for what may not be deleted by mistake, in the environments that hold real events."""

from collections.abc import Callable, Iterator
from typing import Final

from infra.policy.rule import Check, Inputs, Rule, must_be, texts, values

PROTECTED: Final = frozenset({"prod"})
"""Environments, by the label `environment`, whose resources are protected."""


def _in_protected(check: Check) -> Check:
    def protected(inputs: Inputs) -> Iterator[str]:
        if PROTECTED & set(texts(inputs, "labels.environment")):
            yield from check(inputs)

    return protected


def _stays(path: str) -> Callable[[Inputs], Iterator[str]]:
    def check(inputs: Inputs) -> Iterator[str]:
        if True in values(inputs, path):
            yield f"is emptied without a question when it is deleted ({path})"

    return check


def _holds_rows(inputs: Inputs) -> Iterator[str]:
    # A view holds no rows; deleting it loses nothing.
    if not any(values(inputs, "view")) and not any(values(inputs, "materializedView")):
        yield from must_be("deletionProtection", True)(inputs)


RULES: Final = (
    Rule(
        "protected-tables",
        "A table of production cannot be deleted by mistake.",
        ("gcp:bigquery/table:Table",),
        _in_protected(_holds_rows),
        "Set deletion_protection=True, by the stack's setting.",
        ("CKV_GCP_121",),
    ),
    Rule(
        "protected-disks",
        "A disk of production cannot be deleted by mistake; machines can, as they are made anew without loss.",
        ("gcp:compute/disk:Disk",),
        _in_protected(must_be("options.protect", True)),
        "Set protect=True in the resource's options, by the stack's setting.",
    ),
    Rule(
        "protected-buckets",
        "A bucket of production with objects in it is not deleted.",
        ("gcp:storage/bucket:Bucket",),
        _in_protected(_stays("forceDestroy")),
        "Set force_destroy=False, by the stack's setting.",
    ),
    Rule(
        "protected-datasets",
        "A dataset of production with tables in it is not deleted.",
        ("gcp:bigquery/dataset:Dataset",),
        _in_protected(_stays("deleteContentsOnDestroy")),
        "Set delete_contents_on_destroy=False, by the stack's setting.",
    ),
    Rule(
        "protected-jobs",
        "A streaming job of production finishes what it has read before it ends.",
        ("gcp:dataflow/flexTemplateJob:FlexTemplateJob", "gcp:dataflow/job:Job"),
        _in_protected(must_be("onDelete", "drain")),
        'Set on_delete="drain", by the stack\'s setting.',
    ),
)
