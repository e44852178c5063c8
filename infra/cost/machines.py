"""What a machine type of Compute Engine has."""

import re
from dataclasses import dataclass
from typing import Final

_MEMORY_BY_VCPU: Final = {
    ("e2", "highcpu"): 1.0,
    ("n1", "highcpu"): 0.9,
    ("n1", "standard"): 3.75,
    ("n1", "highmem"): 6.5,
}
"""GB for each processor, where it is not what most families have."""
_USUAL_MEMORY: Final = {"standard": 4.0, "highmem": 8.0, "highcpu": 1.0}
_SHARED: Final = {"e2-micro": (0.25, 1.0), "e2-small": (0.5, 2.0), "e2-medium": (1.0, 4.0)}
_MEGABYTES: Final = 1_024


@dataclass(frozen=True)
class Machine:
    """A family, such as `e2`, and the processors and the GB of memory that are paid for."""

    family: str
    vcpus: float
    memory_gb: float


def machine(machine_type: str) -> Machine | None:
    """What a machine type has, or None for one that is not known here."""
    family, _, size = machine_type.partition("-")
    if machine_type in _SHARED:
        return Machine(family, *_SHARED[machine_type])
    if custom := re.fullmatch(r"custom-(\d+)-(\d+)(?:-ext)?", size):
        return Machine(family, int(custom[1]), int(custom[2]) / _MEGABYTES)
    if usual := re.fullmatch(r"(standard|highmem|highcpu)-(\d+)", size):
        memory = _MEMORY_BY_VCPU.get((family, usual[1]), _USUAL_MEMORY[usual[1]])
        return Machine(family, int(usual[2]), memory * int(usual[2]))
    return None
