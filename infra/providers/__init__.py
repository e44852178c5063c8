"""Providers of the resources that neither Google Cloud nor Docker has.

Each is a module with a class `Provider`. Pulumi runs it in a process that knows nothing of this project, so that the
module imports Python's own modules and `pulumi` alone.
"""

from pathlib import Path
from typing import Any

from pulumi.dynamic import ResourceProvider


class FromSource(ResourceProvider):
    """A provider that goes into Pulumi's state as the text of its module.

    Pulumi would write it as compiled code or as the name of its module, of which one is another for each version of
    Python, and the other cannot be found.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self._source = (Path(__file__).parent / f"{name}.py").read_text()

    def __reduce__(self) -> Any:
        return eval, ("exec(source, module) or module['Provider']()", {"source": self._source, "module": {}})
