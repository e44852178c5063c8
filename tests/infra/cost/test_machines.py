"""What machine types have."""

import pytest

from infra.cost.machines import Machine, machine


@pytest.mark.parametrize(
    ("machine_type", "expected"),
    [
        ("e2-standard-2", Machine("e2", 2, 8)),
        ("e2-highcpu-4", Machine("e2", 4, 4)),
        ("n1-standard-4", Machine("n1", 4, 15)),
        ("n2-highmem-8", Machine("n2", 8, 64)),
        ("n2-custom-4-10240", Machine("n2", 4, 10)),
        ("e2-small", Machine("e2", 0.5, 2)),
        ("m1-ultramem-40", None),
        ("f1-micro", None),
    ],
)
def test_a_machine_type_has_processors_and_memory(machine_type: str, expected: Machine | None) -> None:
    assert machine(machine_type) == expected
