"""What a provider's resources take and give, read from the SDK's own classes and kept in a folder.

An SDK names a property by its getter (`@pulumi.getter(name="selfLink")`), says by a default whether an argument may be
left out, and by `Optional` whether an output may be absent. Importing the large SDKs takes seconds, so that each
resource type is described once for a version of its SDK.
"""

import hashlib
import importlib
import inspect
import json
import re
import sys
import tempfile
import typing
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from functools import cache as remembered
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_REPLACES = re.compile(
    r"immutable|forces? (?:the creation of )?a new|forces? (?:recreation|replacement)", re.IGNORECASE
)
_MODULES = re.compile(r'resource_modules="""(.*?)"""', re.DOTALL)
_READER = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
_SCALARS: Mapping[Any, str] = {str: "string", bool: "boolean", int: "integer", float: "number"}

Kind = str | list[Any]
"""`string`, `boolean`, `integer`, `number`, `any`, or a list: `["list", Kind]`, `["map", Kind]`, `["object", name]`."""


@dataclass(frozen=True)
class Input:
    """An argument: its kind, whether it must be given, and whether its documentation says that a change replaces."""

    kind: Kind
    required: bool
    replaces: bool = False


@dataclass(frozen=True)
class Output:
    """A property of a resource that exists: its kind, and whether it always has a value."""

    kind: Kind
    always: bool


@dataclass(frozen=True)
class Schema:
    """A resource type: its arguments and properties by their names on the wire, and the object types in them."""

    inputs: Mapping[str, Input]
    outputs: Mapping[str, Output]
    objects: Mapping[str, Mapping[str, Input]]


class UnknownType(LookupError):  # noqa: N818 - what is unknown
    """No resource of this type is in the SDK."""


@remembered
def schema_of(token: str, cache: Path) -> Schema:
    """The schema of a type, e.g. `gcp:storage/bucket:Bucket`, from `cache` or from the SDK. Raises UnknownType."""
    package = _package(token)
    if not find_spec(package):
        raise UnknownType(f"There is no SDK for {token}.")
    file = cache / _READER / f"{package}-{version(package)}" / (re.sub(r"\W+", "-", token) + ".json")
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False) as new:
            json.dump(asdict(_describe(token)), new)
        Path(new.name).replace(file)
    stored = json.loads(file.read_text())
    return Schema(
        {name: Input(**one) for name, one in stored["inputs"].items()},
        {name: Output(**one) for name, one in stored["outputs"].items()},
        {kind: {name: Input(**one) for name, one in of.items()} for kind, of in stored["objects"].items()},
    )


def _package(token: str) -> str:
    return "pulumi_" + token.split(":")[0].replace("-", "_")


def _describe(token: str) -> Schema:
    resource, arguments = _classes(token)
    objects: dict[str, dict[str, Input]] = {}
    inputs = _inputs(arguments, objects)
    return Schema(inputs, _outputs(resource), objects)


def _classes(token: str) -> tuple[type, type]:
    """The resource's class and the class of its arguments."""
    package = importlib.import_module(_package(token))
    listed = _MODULES.search(inspect.getsource(package))
    for module in json.loads(listed[1]) if listed else ():
        name = module["classes"].get(token)
        if name:
            holder = importlib.import_module(module["fqn"])
            resource = getattr(holder, name)
            own = sys.modules[resource.__module__]
            # Where an argument's type has the name of the resource, the resource's arguments have another.
            return resource, getattr(own, next(one for one in own.__all__ if one.endswith("Args")))
    raise UnknownType(f"{token} is no resource of {package.__name__} {version(package.__name__)}.")


def _inputs(arguments: type, objects: dict[str, dict[str, Input]]) -> dict[str, Input]:
    from pulumi._types import input_type_py_to_pulumi_names, input_type_types

    kinds = input_type_types(arguments)
    names = input_type_py_to_pulumi_names(arguments)
    taken = inspect.signature(arguments.__init__).parameters  # type: ignore[misc]
    found = {}
    for python_name, name in names.items():
        documented = inspect.getattr_static(arguments, python_name).fget.__doc__ or ""
        found[name] = Input(
            _kind(kinds[name], objects),
            taken[python_name].default is inspect.Parameter.empty,
            bool(_REPLACES.search(documented)),
        )
    return found


def _outputs(resource: type) -> dict[str, Output]:
    from pulumi._types import resource_py_to_pulumi_names, resource_types

    kinds = resource_types(resource)
    found = {}
    for python_name, name in resource_py_to_pulumi_names(resource).items():
        getter = inspect.getattr_static(resource, python_name).fget
        declared = typing.get_args(getter.__annotations__["return"])[0]
        found[name] = Output(_kind(kinds[name], None), type(None) not in typing.get_args(declared))
    return found


def _kind(declared: Any, objects: dict[str, dict[str, Input]] | None) -> Kind:
    """The kind of an annotation; object types are added to `objects`, or taken as any object if that is None."""
    from pulumi._types import is_input_type

    origin, arguments = typing.get_origin(declared), typing.get_args(declared)
    if declared in _SCALARS:
        return _SCALARS[declared]
    if origin in (list, Sequence):
        return ["list", _kind(arguments[0], objects)]
    if origin in (dict, Mapping):
        return ["map", _kind(arguments[1], objects)]
    if arguments:  # of a union the first member counts: the others are an awaitable and an output of the same
        return _kind(arguments[0], objects)
    if inspect.isclass(declared) and issubclass(declared, Enum):
        return "string" if issubclass(declared, str) else "any"
    if inspect.isclass(declared) and is_input_type(declared) and objects is not None:
        if declared.__name__ not in objects:
            objects[declared.__name__] = {}  # before its properties, which may hold it again
            objects[declared.__name__] = _inputs(declared, objects)
        return ["object", declared.__name__]
    return "any"
