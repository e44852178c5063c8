"""List prices, read from `prices.toml`."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final

_FILE: Final = Path(__file__).with_name("prices.toml")


@dataclass(frozen=True)
class Price:
    """The list price of a SKU: US dollars for a unit, and the units that are free each month."""

    usd: float
    unit: str
    date: date
    source: str
    free: float = 0


@dataclass(frozen=True)
class Prices:
    """The list prices of a region by SKU."""

    region: str
    currency: str
    skus: Mapping[str, Price]

    @property
    def oldest(self) -> date:
        """The day of the oldest of the prices."""
        return min(price.date for price in self.skus.values())


@cache
def list_prices() -> Prices:
    """The prices of `prices.toml`. Raises ValueError that names the SKU that is not a price."""
    found = tomllib.loads(_FILE.read_text())
    return Prices(
        found["region"], found["currency"], {sku: _price(sku, fields) for sku, fields in found["sku"].items()}
    )


def _price(sku: str, fields: Mapping[str, Any]) -> Price:
    try:
        price = Price(**fields)
    except TypeError as error:
        raise ValueError(f"{_FILE.name}: {sku} is no price: {error}") from error
    if price.usd <= 0 or price.free < 0 or not price.source.startswith("https://"):
        raise ValueError(f"{_FILE.name}: {sku} needs a price over 0, `free` of 0 or more, and a source like https://…")
    return price
