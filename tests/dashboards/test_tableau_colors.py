"""Colours as people with a colour vision deficiency see them."""

from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest

from app.dashboards.tableau import colors

DEFICIENCIES: dict[str, list[list[float]]] = {  # Machado, Oliveira and Fernandes (2009), the whole of each
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    "none": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
}


def seen(color: str, deficiency: list[list[float]]) -> np.ndarray[Any, Any]:
    """A colour in CIE L*a*b* as someone sees it."""
    channels = np.array([int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    light = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    light = np.clip(np.array(deficiency) @ light, 0, 1)
    to_xyz = np.array([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]])
    scaled = (to_xyz @ light) / np.array([0.95047, 1, 1.08883])
    x, y, z = np.where(scaled > 0.008856, np.cbrt(scaled), 7.787 * scaled + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
@pytest.mark.parametrize("column", colors.BY_COLUMN)
def test_colours_are_told_apart_by_everyone(column: str, deficiency: str) -> None:
    looks = [seen(color, DEFICIENCIES[deficiency]) for color in colors.BY_COLUMN[column].values()]
    assert min(np.linalg.norm(one - other) for one, other in combinations(looks, 2)) > 15


def test_the_ramp_gets_darker_for_everyone() -> None:
    for deficiency in DEFICIENCIES.values():
        lightness = [seen(color, deficiency)[0] for color in colors.RAMP]
        assert all(before - after > 10 for before, after in pairwise(lightness))
