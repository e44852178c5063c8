"""`Pulumi.<environment>.yaml`, read without Pulumi's program."""

import json
from pathlib import Path
from typing import Any

import yaml

from infra.settings.declaration import PROJECT


def stack_config(folder: Path, stack: str) -> dict[str, str]:
    """The configuration of an environment by full key, in the form that `load` takes.

    Raises OSError where there is no such file, and ValueError where it is not one of Pulumi's.
    """
    path = folder / f"Pulumi.{stack}.yaml"
    try:
        given = yaml.safe_load(path.read_text()) or {}
        return {_full(key): _text(value) for key, value in (given.get("config") or {}).items()}
    except (yaml.YAMLError, AttributeError) as error:
        raise ValueError(f"{path} is no file of settings: {error}") from error


def _full(key: str) -> str:
    return key if ":" in key else f"{PROJECT}:{key}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
