"""Usage times price, and the difference between two estimates."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from infra.cost.prices import Prices, list_prices
from infra.cost.usage import Usage, usage_of
from infra.settings import Settings

CAUTION: Final = (
    "List prices without discounts, credits and taxes; what is used is assumed by the settings `costs`. It is no bill."
)


@dataclass(frozen=True)
class Line:
    """What one thing costs a month. `usd` is None where its price is not known here."""

    component: str
    item: str
    sku: str
    quantity: float
    unit: str
    usd: float | None
    why: str


@dataclass(frozen=True)
class Estimate:
    """What an environment costs a month, line by line, in US dollars."""

    environment: str
    prices_of: str
    """The region and the day of the oldest price."""
    lines: tuple[Line, ...]

    @property
    def usd(self) -> float:
        """The sum of all lines whose price is known."""
        return sum(line.usd or 0 for line in self.lines)

    @property
    def without_price(self) -> tuple[Line, ...]:
        """The lines that are missing in the sum."""
        return tuple(line for line in self.lines if line.usd is None)

    def by_component(self) -> dict[str, float]:
        """The sum of each component, the dearest first."""
        sums: dict[str, float] = {}
        for line in self.lines:
            sums[line.component] = sums.get(line.component, 0) + (line.usd or 0)
        return dict(sorted(sums.items(), key=lambda one: -one[1]))

    def as_json(self) -> dict[str, Any]:
        """The estimate for other programs; `from_json` reads it."""
        by_component = {component: round(usd, 2) for component, usd in self.by_component().items()}
        return {
            "environment": self.environment,
            "pricesOf": self.prices_of,
            "caution": CAUTION,
            "usdAMonth": round(self.usd, 2),
            "byComponent": by_component,
            "lines": [asdict(line) for line in self.lines],
        }

    @staticmethod
    def from_json(found: Mapping[str, Any]) -> "Estimate":
        """The estimate that `as_json` gave."""
        return Estimate(found["environment"], found["pricesOf"], tuple(Line(**line) for line in found["lines"]))


@dataclass(frozen=True)
class Change:
    """What a line of an estimate cost before and costs after; 0 where it was not or is not there."""

    component: str
    item: str
    before: float
    after: float

    @property
    def usd(self) -> float:
        """How much more it costs."""
        return self.after - self.before


def estimate(settings: Settings, prices: Prices | None = None) -> Estimate:
    """What the environment of some settings costs a month."""
    prices = prices or list_prices()
    lines = _lines(usage_of(settings), prices)
    return Estimate(settings.place.environment, f"{prices.region}, {prices.oldest.isoformat()}", tuple(lines))


def changes(before: Estimate, after: Estimate) -> list[Change]:
    """The lines that cost more or less by a cent at least, the greatest change first."""
    old, new = _by_item(before), _by_item(after)
    found = [
        Change(component, item, old.get((component, item), 0), new.get((component, item), 0))
        for component, item in dict.fromkeys([*old, *new])
    ]
    return sorted((one for one in found if round(one.usd, 2)), key=lambda one: -abs(one.usd))


def _lines(usages: Iterable[Usage], prices: Prices) -> Iterable[Line]:
    for usage in usages:
        price = prices.skus.get(usage.sku)
        # What is free is counted once for each environment, as most have a project of their own.
        usd = None if price is None else max(0.0, usage.quantity - price.free) * price.usd
        unit = price.unit if price else ""
        yield Line(usage.component, usage.item, usage.sku, usage.quantity, unit, usd, usage.why)


def _by_item(given: Estimate) -> dict[tuple[str, str], float]:
    return {(line.component, line.item): line.usd or 0 for line in given.lines}
