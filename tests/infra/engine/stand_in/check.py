"""Whether what a program gives fits a resource's schema: nothing unknown, nothing missing, the right kinds."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.infra.engine.stand_in.schema import Input, Kind, Schema

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Stands for a value that a preview does not know yet."""

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int, float),
    "number": (int, float),
}


def is_unknown(value: Any) -> bool:
    """Whether a value is unknown, or holds one that is."""
    if isinstance(value, dict):
        return any(map(is_unknown, value.values()))
    if isinstance(value, list):
        return any(map(is_unknown, value))
    return bool(value == UNKNOWN)


def faults_of(inputs: Mapping[str, Any], schema: Schema) -> Iterator[tuple[str, str]]:
    """What is wrong with the inputs: the property's path and the reason."""
    yield from _object_faults(inputs, schema.inputs, "", schema)


def _object_faults(
    given: Mapping[str, Any], allowed: Mapping[str, Input], path: str, schema: Schema
) -> Iterator[tuple[str, str]]:
    for name in given.keys() - allowed.keys():
        yield f"{path}{name}", "is no argument of this resource"
    for name, one in allowed.items():
        value = given.get(name)
        if value is None:
            if one.required:
                yield f"{path}{name}", "is required and missing"
        else:
            yield from _faults(value, one.kind, f"{path}{name}", schema)


def _faults(value: Any, kind: Kind, path: str, schema: Schema) -> Iterator[tuple[str, str]]:
    if value is None or value == UNKNOWN or kind == "any":
        return
    if isinstance(kind, str):
        if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
            yield path, f"must be a {kind}, not {type(value).__name__}"
        return
    shape, of = kind
    if shape == "list" and isinstance(value, list):
        for index, one in enumerate(value):
            yield from _faults(one, of, f"{path}[{index}]", schema)
    elif shape == "map" and isinstance(value, dict):
        for key, one in value.items():
            yield from _faults(one, of, f"{path}.{key}", schema)
    elif shape == "object" and isinstance(value, dict):
        yield from _object_faults(value, schema.objects[of], f"{path}.", schema)
    else:
        yield path, f"must be a {shape}, not {type(value).__name__}"
