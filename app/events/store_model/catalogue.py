"""What the store sells: categories, brands, products, prices, and what goes well together.

The catalogue is the same for every seed, like a real store's: a seed changes who comes and what they do.
It is built from `catalogue.tsv`, written by hand after the data set that REES46 published.
"""

import math
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Shares of sessions that start in these categories. Together with what visitors look at beside, they
# give the published shares of events: 27 % smartphones, 31.84 % without category.
SMARTPHONES: Final = "electronics.smartphone"
SMARTPHONE_SESSIONS: Final = 0.267
UNCATEGORISED_SESSIONS: Final = 0.319
BRANDLESS: Final = 0.156
ZERO_PRICE: Final = 0.00175
SMARTPHONE_REVENUE: Final = 0.722
"""Share of the revenue of what a session is about; the accessories bought along lower it to 68 %."""

PRICES: Final = 3
"""Versions of a product's price: as it was, after its change, on a day of sale."""

_TAIL_BRANDS_EVERY: Final = 14
_BEST_SELLERS: Final = 3
_SAME_COMPANION: Final = 6
"""So many neighbours in a brand's ranking share a companion."""
_SYLLABLES: Final = (
    "ar", "bel", "cor", "dan", "el", "fen", "gra", "hol", "in", "jor", "kal", "lun",
    "mar", "nor", "or", "pel", "ros", "sta", "tor", "ul", "vas", "wen", "yar", "zel",
)  # fmt: skip
_PRICE_TIERS: Final = {
    "apple": 2.7, "garmin": 2.6, "tissot": 4.0, "longines": 9.0, "samsung": 1.05, "google": 1.9, "oneplus": 1.7,
    "sony": 1.5, "bosch": 1.3, "bernina": 3.0, "smeg": 3.0, "kitchenaid": 4.0, "msi": 1.9, "dell": 1.4, "intel": 1.1,
    "nokia": 0.6, "xiaomi": 0.62, "meizu": 0.6, "texet": 0.6, "wonlex": 0.3, "aimoto": 0.3, "elari": 0.5, "bose": 3.0,
    "marshall": 1.8, "karcher": 1.3, "stihl": 2.5, "michelin": 1.7, "nokian": 1.2, "lego": 1.3, "wacom": 1.2,
}  # fmt: skip


@dataclass(frozen=True)
class Catalogue:
    """The store's P products in C categories, products of a category side by side."""

    rows: pa.BinaryArray
    """`product_id,category_id,category_code,brand,price,` of product p at price version v, at p * PRICES + v."""
    cents: Ints
    """(P, PRICES): the price in hundredths of the store's currency."""
    price_change_day: Ints
    """(P,): the day, counted from the first, from which the second price holds."""
    companions: Ints
    """(P, 2): the products that go well with a product."""
    popularity: Ints
    """(P,): running total of the products' weights, all categories in one line."""
    category_end: Ints
    """(C + 1,): `popularity` at the end of each category, led by 0."""
    sessions: Floats
    """(C,): running total of the share of sessions about a category, ending with 1."""
    conversion: Floats
    """(C,): how readily visitors buy, 1 being the mean over sessions."""

    def draw(self, category: Ints, uniform: Floats) -> Ints:
        """Products drawn by popularity from `category`, one for each number of `uniform` in [0, 1)."""
        first, end = self.category_end[category], self.category_end[category + 1]
        return np.searchsorted(self.popularity, first + (uniform * (end - first)).astype(np.int64), side="right")


@dataclass(frozen=True)
class _Category:
    name: str
    share: float
    price: float
    conversion: float
    products: int
    companions: tuple[str, ...]
    brands: tuple[tuple[str, float], ...]

    @property
    def code(self) -> str:
        return self.name if "." in self.name else ""


def _read() -> list[_Category]:
    text = Path(__file__).with_name("catalogue.tsv").read_text(encoding="ascii")
    lines = [line.split("\t") for line in text.splitlines() if not line.startswith("#")][1:]
    categories = []
    for name, share, price, conversion, products, companions, brands in lines:
        weights = [brand.rsplit(":", 1) for brand in brands.split(",")]
        categories.append(
            _Category(
                name=name,
                share=float(share),
                price=float(price),
                conversion=float(conversion),
                products=int(products),
                companions=tuple(other for other in companions.split(",") if other != "-"),
                brands=tuple(("" if brand == "-" else brand, float(weight)) for brand, weight in weights),
            )
        )
    return categories


def _session_shares(categories: list[_Category]) -> list[float]:
    """The share of sessions about each category: smartphones, categories without code and the rest to their totals."""

    def group(category: _Category) -> float:
        if category.name == SMARTPHONES:
            return SMARTPHONE_SESSIONS
        return UNCATEGORISED_SESSIONS if not category.code else 1 - SMARTPHONE_SESSIONS - UNCATEGORISED_SESSIONS

    totals: dict[float, list[float]] = {}
    for category in categories:
        totals.setdefault(group(category), []).append(category.share)
    return [category.share / math.fsum(totals[group(category)]) * group(category) for category in categories]


def _brands(categories: list[_Category], shares: list[float], rng: np.random.Generator) -> list[dict[str, float]]:
    """Brand -> share of a category's views, with a tail of small brands; '' is 'no brand' and meets BRANDLESS."""
    brandless = [
        math.fsum(weight for brand, weight in category.brands if not brand)
        / math.fsum(weight for _, weight in category.brands)
        for category in categories
    ]
    scale = BRANDLESS / math.fsum(share * part for share, part in zip(shares, brandless, strict=True))
    result = []
    for category, part in zip(categories, brandless, strict=True):
        none = min(part * scale, 0.97)
        named = {brand: weight for brand, weight in category.brands if brand}
        smallest = min(named.values(), default=1.0)
        for rank in range(category.products // _TAIL_BRANDS_EVERY if category.name != SMARTPHONES else 6):
            name = "".join(_SYLLABLES[i] for i in rng.integers(0, len(_SYLLABLES), 2 + rank % 2))
            named.setdefault(name, smallest / (rank + 2))
        total = math.fsum(named.values())
        weights = {brand: weight / total * (1 - none) for brand, weight in named.items()}
        result.append(weights | {"": none} if none else weights)
    return result


@cache
def catalogue() -> Catalogue:
    """The store's catalogue, built once a process (about a tenth of a second)."""
    rng = np.random.Generator(np.random.PCG64(2019))
    categories = _read()
    shares = _session_shares(categories)
    prefix: list[str] = []
    weights: list[int] = []
    base_cents: list[int] = []
    members: dict[str, dict[str, list[int]]] = {}
    category_end = [0]
    # A long tail of categories without code holds the products that are published at a price of 0.
    zero = ZERO_PRICE / math.fsum(s for s, c in zip(shares, categories, strict=True) if c.price < 16 and not c.code)
    for index, (category, brands) in enumerate(zip(categories, _brands(categories, shares, rng), strict=True)):
        category_id = (
            2053013552259662037 + index * 114_503_917_331 % 14_800_000_000 + (0 if index % 9 != 4 else 57 * 10**15)
        )
        product_id = 1_000_000 + index * 396_107 % 59_000_000 + 2_000 if index else 1_002_000
        free = zero if category.price < 16 and not category.code else 0.0
        by_brand = members.setdefault(category.name, {})
        for brand, share in brands.items():
            count = max(1, round(category.products * share + 0.3))
            ranks = [1 / (rank + 1.6) for rank in range(count)]
            total = math.fsum(ranks)
            tier = _PRICE_TIERS.get(brand, 0.75 + 0.5 * float(rng.random()))
            spread = rng.random(count)
            for rank, u in zip(ranks, spread.tolist(), strict=True):
                product_id += 1 + int(u * 7_919) % 9
                # The best sellers of a brand are nearer to its usual price.
                reach = 0.25 if len(by_brand.get(brand, ())) < _BEST_SELLERS else 0.4
                odds = (0.5 + reach * (2 * u - 1)) / (0.5 - reach * (2 * u - 1))
                by_brand.setdefault(brand, []).append(len(prefix))
                prefix.append(f"{product_id},{category_id},{category.code},{brand},")
                weights.append(int(share * rank / total * (1 - free) * 2**36) + 1)
                base_cents.append(max(79, round(category.price * tier * math.sqrt(odds) * 100)))
        if free:
            product_id += 11
            prefix.append(f"{product_id},{category_id},{category.code},,")
            weights.append(int(free * 2**36))
            base_cents.append(0)
        category_end.append(len(prefix))
    cents, change = _price_versions(np.array(base_cents, dtype=np.int64), rng)
    popularity = np.cumsum(np.array(weights, dtype=np.int64))
    ends = np.concatenate([[0], popularity[np.array(category_end[1:]) - 1]])
    mean_price = [
        float(np.dot(np.array(weights[a:b], dtype=object), np.array(base_cents[a:b], dtype=object)) / sum(weights[a:b]))
        for a, b in pairwise(category_end)
    ]
    texts = [
        f"{text}{price // 100}.{price % 100:02d},".encode()
        for text, prices in zip(prefix, cents.tolist(), strict=True)
        for price in prices
    ]
    return Catalogue(
        rows=pa.array(texts, pa.binary()),
        cents=cents,
        price_change_day=change,
        companions=_companions(categories, members, len(prefix)),
        popularity=popularity,
        category_end=ends,
        sessions=np.cumsum(np.array(shares)) / math.fsum(shares),
        conversion=_conversion(categories, shares, mean_price),
    )


def _price_versions(base: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """The prices of each product, (P, PRICES), and the day of its change: a third of them change in the first month."""
    change = (rng.random(len(base)) * 90).astype(np.int64) + 1
    moved = base * (940 + (rng.random(len(base)) * 110).astype(np.int64)) // 1000
    sale = base * (82 + (rng.random(len(base)) * 17).astype(np.int64)) // 100
    return np.stack([base, moved, sale], axis=1), change


def _companions(categories: list[_Category], members: dict[str, dict[str, list[int]]], products: int) -> Ints:
    """Two companions a product: of its own brand where the other category has it, else that category's best sellers."""
    result = np.repeat(np.arange(products)[:, None], 2, axis=1)
    for category in categories:
        others = (category.companions * 2)[:2] or (category.name,) * 2
        for brand, own in members[category.name].items():
            for slot, other in enumerate(others):
                there = members[other]
                best = there.get(brand) if brand else None
                best = best or there[max(there, key=lambda name: len(there[name]) if name else 0)]
                for rank, product in enumerate(own):
                    result[product, slot] = best[rank // _SAME_COMPANION % min(len(best), 3)]
    return result


def _conversion(categories: list[_Category], shares: list[float], mean_price: list[float]) -> Floats:
    """Relative conversion, mean 1 over sessions, smartphones' being what gives their share of the revenue."""
    value = [s * c.conversion * m for s, c, m in zip(shares, categories, mean_price, strict=True)]
    phones = next(i for i, category in enumerate(categories) if category.name == SMARTPHONES)
    rest = math.fsum(value) - value[phones]
    rates = [category.conversion for category in categories]
    rates[phones] = SMARTPHONE_REVENUE / (1 - SMARTPHONE_REVENUE) * rest / (shares[phones] * mean_price[phones])
    mean = math.fsum(share * rate for share, rate in zip(shares, rates, strict=True))
    return np.array(rates) / mean
