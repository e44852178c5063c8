"""What an environment costs a month, estimated from its settings before anything is made.

    prices.toml   list prices, each with its date and its source
    prices.py     reads them
    machines.py   what a machine type has
    usage.py      from settings to what is used: how much of which SKU, and why
    estimate.py   usage times price, by component; the difference between two estimates
    shown.py      as text and as Markdown
    __main__.py   the command: `python -m infra.cost --stack prod`

An estimate is no bill. It takes list prices of one region, and the assumptions of the settings `costs`.
"""

from infra.cost.estimate import Estimate, Line, estimate

__all__ = ["Estimate", "Line", "estimate"]
