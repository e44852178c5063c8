"""The sheets of how looking becomes buying, and of what is bought."""

from typing import Final

from app.dashboards.tableau.sheet import Sheet, Sort, day, dimension, measure

FUNNEL: Final = Sheet(
    "Funnel of sessions",
    "session_funnel",
    "Bar",
    values=(
        measure("sessions"),
        measure("sessions_with_view"),
        measure("sessions_with_cart"),
        measure("sessions_with_purchase"),
    ),
    tooltip=(measure("view_to_cart_rate"), measure("cart_to_purchase_rate"), measure("purchase_rate")),
)
VOLUME: Final = Sheet(
    "Purchase conversion volume",
    "purchase_conversion_volume",
    "Bar",
    rows=(dimension("department"), dimension("sub_category")),
    columns=(measure("views"), measure("carts"), measure("purchases")),
    sorts=(Sort(dimension("department"), measure("views")), Sort(dimension("sub_category"), measure("views"))),
    long=True,
    note="views, carts and purchases",
)
RATE: Final = Sheet(
    "Purchase conversion rate by sub-category",
    "purchase_conversion_rate",
    "Bar",
    rows=(dimension("department"), dimension("sub_category")),
    columns=(measure("conversion_rate"),),
    color=measure("purchase_share"),
    label=(measure("conversion_rate"),),
    tooltip=(measure("events"), measure("view_share"), measure("cart_share")),
    sorts=(Sort(dimension("sub_category"), measure("conversion_rate")),),
    long=True,
    note="purchases per view, colour: purchases of all events",
)
PURCHASES_BY_CATEGORY: Final = Sheet(
    "Purchases by category",
    "purchases_by_category",
    "Bar",
    rows=(dimension("department"),),
    columns=(measure("purchases"),),
    label=(measure("share"),),
    tooltip=(measure("revenue"), measure("revenue_share")),
    sorts=(Sort(dimension("department"), measure("purchases")),),
    note="label: share of all purchases",
)
TOP_BRANDS: Final = Sheet(
    "Top 20 brands",
    "top_brands",
    "Bar",
    rows=(dimension("rank"), dimension("brand")),
    columns=(measure("purchases"),),
    label=(measure("purchases"),),
    tooltip=(measure("revenue"),),
)
ABANDONED_CARTS: Final = Sheet(
    "Abandoned carts",
    "abandoned_carts",
    "Bar",
    rows=(measure("abandoned_value"),),
    columns=(day("event_date"),),
    tooltip=(
        measure("abandoned_sessions"),
        measure("sessions_with_cart"),
        measure("abandoned_rate"),
        measure("abandoned_items"),
    ),
    note="value of what was left (store currency)",
)
SHEETS: Final = (FUNNEL, VOLUME, RATE, PURCHASES_BY_CATEGORY, TOP_BRANDS, ABANDONED_CARTS)
