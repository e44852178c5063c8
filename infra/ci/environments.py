"""Says which environments CI may reach, as a workflow's outputs: those with a variable `SHOP_<ENVIRONMENT>`.

    VARIABLES='{"SHOP_DEV": "{...}"}' python -m infra.ci.environments >> "$GITHUB_OUTPUT"

The variable is the environment's stack output `ci`, in JSON. The outputs are `names`, with commas between, and
`include`, for a matrix: that JSON of each with its name as `environment`. Ends with 2 where a variable is not what it
must be.
"""

import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final

NEEDED: Final = (
    "project",
    "registry",
    "backend",
    "previewAccount",
    "previewProvider",
    "deployAccount",
    "deployProvider",
)
_PREFIX: Final = "SHOP_"
_ORDER: Final = ("dev", "staging", "prod")


class VariableError(ValueError):
    """A variable of the repository is not the stack output `ci`; the message says which and how to set it."""


def main() -> int:
    """Print the list and give the exit code."""
    try:
        found = reachable(json.loads(os.environ.get("VARIABLES") or "{}"))
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    include = [{"environment": name, **connection} for name, connection in found.items()]
    sys.stdout.write(f"names={','.join(found)}\ninclude={json.dumps(include)}\n")
    if not found:
        sys.stderr.write("No environment: the repository has no variable SHOP_DEV, SHOP_STAGING or SHOP_PROD.\n")
    return 0


def reachable(variables: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """How to reach each environment, in the order in which they are deployed. Raises VariableError."""
    found = {
        _environment(name): _connection(name, text) for name, text in variables.items() if name.startswith(_PREFIX)
    }
    return {name: found[name] for name in in_order(found)}


def in_order(names: Iterable[str]) -> list[str]:
    """Environments in the order in which they are deployed; others come last."""
    return sorted(names, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name))


def _environment(variable: str) -> str:
    return variable.removeprefix(_PREFIX).lower().replace("_", "-")


def _connection(name: str, text: str) -> dict[str, str]:
    try:
        given: Any = json.loads(text)
    except ValueError:
        given = None
    known = given if isinstance(given, Mapping) else {}
    missing = [key for key in NEEDED if not isinstance(known.get(key), str)]
    if missing:
        raise VariableError(
            f"The repository's variable {name} lacks {', '.join(missing)}. Set it by\n"
            f'  gh variable set {name} --body "$(pulumi stack output ci --json --stack {_environment(name)})"'
        )
    return {key: known[key] for key in NEEDED}


if __name__ == "__main__":
    sys.exit(main())
