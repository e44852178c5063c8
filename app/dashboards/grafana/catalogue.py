"""Catalogue: what is looked at and bought."""

from app.dashboards.grafana.layout import Dashboard, Section
from app.dashboards.grafana.panels import COUNT, GREEN, MONEY, ORANGE, RED, SHARE, bar_chart, bars, rows
from app.dashboards.grafana.sources import MYSQL, REDIS, mysql, redis_top
from app.dashboards.grafana.variables import FILTERED_ALL_TYPES, brand, category

UID = "shop-catalogue"
TOP = 20
_WHOLE = "Of all events that are loaded; time range and filters do not apply."
_CONVERSION = ((0, RED), (0.01, ORANGE), (0.02, GREEN))


def dashboard() -> Dashboard:
    """Build it."""
    return Dashboard(
        uid=UID,
        title="Catalogue",
        description="Views and purchases by category and brand, conversion, and what is bought together.",
        sources=(MYSQL, REDIS),
        variables=(category(), brand()),
        sections=(_categories(), _conversion(), _together()),
    )


def _categories() -> Section:
    return Section(
        "Categories and brands",
        12,
        (
            (
                8,
                bar_chart(
                    "Views by category",
                    "Views in the time range that pass the filters, by first level of the category.",
                    mysql(
                        "SELECT department AS category, SUM(events) AS views FROM activity\n"
                        f"WHERE {FILTERED_ALL_TYPES} AND event_type = 'view'\n"
                        "GROUP BY department ORDER BY views DESC, department LIMIT 20"
                    ),
                    COUNT,
                    "category",
                ),
            ),
            (
                8,
                bar_chart(
                    "Purchases by category",
                    "Products bought in the time range that pass the filters, and their revenue.",
                    mysql(
                        "SELECT department AS category, SUM(events) AS purchases, SUM(price_sum) AS revenue\n"
                        f"FROM activity WHERE {FILTERED_ALL_TYPES} AND event_type = 'purchase'\n"
                        "GROUP BY department ORDER BY revenue DESC, department LIMIT 20"
                    ),
                    COUNT,
                    "category",
                    units={"revenue": MONEY},
                ),
            ),
            (
                8,
                bar_chart(
                    f"Top {TOP} brands",
                    "Brands with most purchases in the time range that pass the filters, and their revenue.",
                    mysql(
                        "SELECT brand, SUM(events) AS purchases, SUM(price_sum) AS revenue FROM activity\n"
                        f"WHERE {FILTERED_ALL_TYPES} AND event_type = 'purchase' AND brand <> 'unbranded'\n"
                        f"GROUP BY brand ORDER BY purchases DESC, revenue DESC, brand LIMIT {TOP}"
                    ),
                    COUNT,
                    "brand",
                    units={"revenue": MONEY},
                ),
            ),
        ),
    )


def _conversion() -> Section:
    return Section(
        "From view to purchase",
        12,
        (
            (
                14,
                rows(
                    "Conversion by sub-category",
                    "Views, carts and purchases in the time range that pass the filters, and purchases / views.",
                    mysql(
                        "SELECT department AS category, sub_category AS `sub-category`,\n"
                        "  SUM(IF(event_type = 'view', events, 0)) AS views,\n"
                        "  SUM(IF(event_type = 'cart', events, 0)) AS carts,\n"
                        "  SUM(IF(event_type = 'purchase', events, 0)) AS purchases,\n"
                        "  SUM(IF(event_type = 'purchase', events, 0))\n"
                        "    / NULLIF(SUM(IF(event_type = 'view', events, 0)), 0) AS conversion\n"
                        f"FROM activity WHERE {FILTERED_ALL_TYPES}\n"
                        "GROUP BY department, sub_category ORDER BY views DESC, department, sub_category"
                    ),
                    {"views": COUNT, "carts": COUNT, "purchases": COUNT, "conversion": SHARE},
                    heat={"conversion": _CONVERSION},
                ),
            ),
            (
                10,
                bar_chart(
                    "Most viewed sub-categories",
                    f"The 20 sub-categories with most views, and how many visitors viewed them. {_WHOLE}",
                    mysql(
                        "SELECT CONCAT_WS('.', department, sub_category) AS `sub-category`, views, users\n"
                        "FROM most_viewed_sub_categories ORDER BY `rank`"
                    ),
                    COUNT,
                    "sub-category",
                ),
            ),
        ),
    )


def _together() -> Section:
    return Section(
        "Bought together, and leaderboards",
        12,
        (
            (
                12,
                rows(
                    "Products bought together",
                    "Pairs bought in the same session. Support: share of sessions that buy. Confidence: who buys the "
                    f"first also buys the second. Lift: how much more often than by chance. {_WHOLE}",
                    mysql(
                        "SELECT label_a AS first, product_a AS `first id`, label_b AS second,\n"
                        "  product_b AS `second id`, sessions, support, confidence, lift\n"
                        "FROM bought_together ORDER BY sessions DESC, lift DESC, product_a, product_b LIMIT 100"
                    ),
                    {"sessions": COUNT, "support": SHARE, "confidence": SHARE, "lift": "none"},
                    heat={"lift": ((0, RED), (1, ORANGE), (2, GREEN))},
                ),
            ),
            (
                6,
                bars(
                    "Brands by revenue, from Redis",
                    f"The leaderboard as an application reads it, in cents of the store's currency. {_WHOLE}",
                    redis_top("brands", "revenue_cents", 10),
                    COUNT,
                ),
            ),
            (
                6,
                bars(
                    "Products by views, from Redis",
                    f"The leaderboard of product ids as an application reads it. {_WHOLE}",
                    redis_top("products", "views", 10),
                    COUNT,
                ),
            ),
        ),
    )
