"""Writes down what each environment declares: a line for each resource, its type, its name and its inputs.

After a change that is meant, write the files anew and look at the difference:

    python -m tests.infra.inventory.record
    git diff tests/infra/inventory

Long texts, such as queries and dashboards, stand there by their length and a hash. Inputs that all resources of an
environment share are left out: the project and the labels; so are the repository's place, the hash of its code, and the
code of resources of our own, which each version of Python writes in another way.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from infra.build_context import content_hash
from infra.local_batch import DOCKERFILE
from tests.infra.declared import ROOT
from tests.infra.environments import environment

ENVIRONMENTS: Final = ("dev", "staging", "prod", "local")
FOLDER: Final = Path(__file__).parent
_LEFT_OUT: Final = ("project", "labels", "userLabels", "__provider")
_LONGEST: Final = 160


def inventory(stack: str) -> str:
    """The text of an environment's file."""
    lines = sorted(
        f"{json.dumps(f'{one.type} {one.name}')}: {json.dumps(_known(one.inputs), sort_keys=True)}"
        for one in environment(stack).resources
        if one.custom
    )
    content = content_hash(ROOT, DOCKERFILE)
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    return text.replace(content, "CONTENT").replace(content[:12], "CONTENT").replace(str(ROOT), "REPOSITORY")


def _known(inputs: Any) -> dict[str, Any]:
    return {name: _short(value) for name, value in inputs.items() if name not in _LEFT_OUT}


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _short(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_short(item) for item in value]
    if isinstance(value, str) and (len(value) > _LONGEST or "\n" in value):
        return f"{len(value)} characters, sha256 {hashlib.sha256(value.encode()).hexdigest()[:12]}"
    return value


if __name__ == "__main__":
    for name in ENVIRONMENTS:
        (FOLDER / f"{name}.json").write_text(inventory(name))
