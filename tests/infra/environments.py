"""What whole environments declare, each declared once for all tests."""

import json
from functools import cache
from typing import Any

from tests.infra.declared import Declared, declare_stack

KEY = "projects/demo-project/locations/europe-west1/keyRings/shop/cryptoKeys/data"


@cache
def _declared(stack: str, given: str) -> Declared:
    settings = {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in json.loads(given).items()
    }
    return declare_stack(stack, {f"shop-analytics:{name}": value for name, value in settings.items()})


def environment(stack: str, **sections: Any) -> Declared:
    """An environment with the settings of its file; `sections` replace those of the same name."""
    return _declared(stack, json.dumps(sections, sort_keys=True))
