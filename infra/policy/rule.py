"""What a rule is, and the building blocks of most rules."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

Inputs = Mapping[str, object]
"""A resource's inputs, by the engine's names in camel case. Under `options` there is Pulumi's own option `protect`."""

Check = Callable[[Inputs], Iterable[str]]
"""Complaints about a resource, each a sentence's end after the resource's name; none where it follows the rule."""


class Unknown:
    """A value that is known only after another resource was made."""

    def __repr__(self) -> str:
        return "(not known yet)"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class Rule:
    """A rule that resources of some types must follow."""

    name: str
    says: str
    types: tuple[str, ...]
    """Resource types, as globs: `gcp:storage/bucket:Bucket`, `gcp:*IAMMember`."""
    check: Check
    remedy: str
    benchmarks: tuple[str, ...] = ()
    """Its numbers elsewhere, such as `CIS GCP 5.2` (version 3.0.0) or `CKV_GCP_29` (Checkov)."""

    def is_for(self, resource_type: str) -> bool:
        """Whether the rule is for a type of resource."""
        return any(fnmatchcase(resource_type, pattern) for pattern in self.types)

    def complaints(self, resource_type: str, inputs: Inputs) -> list[str]:
        """What a resource does against the rule; empty where nothing, or where the rule is not for its type."""
        return list(self.check(inputs)) if self.is_for(resource_type) else []


def values(inputs: object, path: str) -> Iterator[object]:
    """The values at a path such as `networkInterfaces[].accessConfigs[]`; nothing where a part is not given.

    A part that is not known yet is given out as UNKNOWN, in place of what it may hold.
    """
    head, _, rest = path.partition(".")
    key, is_list = head.removesuffix("[]"), head.endswith("[]")
    found = inputs.get(key) if isinstance(inputs, Mapping) else None
    if found is None:
        return
    for value in found if is_list and isinstance(found, list | tuple) else [found]:
        if not rest or value is UNKNOWN:
            yield value
        else:
            yield from values(value, rest)


def texts(inputs: object, path: str) -> Iterator[str]:
    """The known texts at a path."""
    return (value for value in values(inputs, path) if isinstance(value, str))


def must_be(path: str, allowed: object) -> Check:
    """The value at a path must be given, and be `allowed`, or be in it if it is a collection."""
    choices = allowed if isinstance(allowed, Collection) and not isinstance(allowed, str) else (allowed,)

    def check(inputs: Inputs) -> Iterator[str]:
        found = list(values(inputs, path))
        wanted = " or ".join(map(_shown, choices))
        if not found:
            yield f"does not set {path}, which must be {wanted}"
        # A 1 in place of true is no mistake that a provider makes, so that types need not be compared.
        yield from (
            f"sets {path} to {_shown(value)}, which must be {wanted}"
            for value in found
            if value is not UNKNOWN and value not in choices
        )

    return check


def must_have(path: str) -> Check:
    """There must be something at a path; an empty text, list or mapping is nothing."""

    def check(inputs: Inputs) -> Iterator[str]:
        if not any(value is UNKNOWN or value not in ("", [], {}, False) for value in values(inputs, path)):
            yield f"does not set {path}"

    return check


def must_not_have(path: str, *forbidden: object) -> Check:
    """There must be nothing at a path, or none of the values that are given."""

    def check(inputs: Inputs) -> Iterator[str]:
        for value in values(inputs, path):
            if value is UNKNOWN or (forbidden and value not in forbidden):
                continue
            yield f"sets {path} to {_shown(value)}"

    return check


def all_of(*checks: Check) -> Check:
    """Every one of some checks."""
    return lambda inputs: [complaint for check in checks for complaint in check(inputs)]


def never(complaint: str) -> Check:
    """Resources of the type are never right."""
    return lambda _: [complaint]


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)
