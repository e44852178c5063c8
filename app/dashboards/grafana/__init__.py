"""Grafana: four dashboards over MySQL, Redis and Cassandra, as code.

    provisioning()   ->  {"dashboards/shop-overview.json": "...", "provisioning/datasources/shop.yaml": "...", ...}

`python -m app.dashboards.grafana --out DIR` writes the files; with `--loaded` the dashboards alone, which then open on
the days that MySQL has. A dashboard is a module (`store_overview`, `catalogue`, `customers`, `pipeline`) that lists its
panels, each with its query; `panels` has the kinds of panels.
"""

from app.dashboards.grafana.layout import PUBLIC_DATA, Period
from app.dashboards.grafana.provisioning import DASHBOARD_FOLDER, Stores, dashboard_files, provisioning

__all__ = ["DASHBOARD_FOLDER", "PUBLIC_DATA", "Period", "Stores", "dashboard_files", "provisioning"]
