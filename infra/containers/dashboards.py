"""What keeps Grafana's dashboards open on the days that are loaded, where the job runs on other machines."""

from typing import Final

import pulumi

from app.batch.stores.mysql.grants import GRAFANA
from app.dashboards.grafana import DASHBOARD_FOLDER
from infra.containers import SHOP_FOLDER
from infra.containers.spark_job import GRAFANA_FOLDER, USER
from infra.containers.spec import File, HealthCheck, SharedVolume, Spec
from infra.passwords import Passwords
from infra.settings.batch import DASHBOARDS_MEMORY_MB

_EVERY_MINUTES: Final = 10
_PASSWORD: Final = f"{SHOP_FOLDER}/mysql"


def dashboards(passwords: Passwords, image: pulumi.Input[str], volume: pulumi.Input[str]) -> Spec:
    """A process of the job's image that asks MySQL as Grafana's user, and writes into the volume that Grafana reads."""
    folder = f"{GRAFANA_FOLDER}/{DASHBOARD_FOLDER}"
    written = f"find {folder} -name '*.json' -mmin -{3 * _EVERY_MINUTES} | grep -q ."
    return Spec(
        role="dashboards",
        image=image,
        is_pulled=False,
        user=USER,
        memory_mb=DASHBOARDS_MEMORY_MB,
        command=[
            *("python", "-m", "app.dashboards.grafana", "--out", GRAFANA_FOLDER),
            *("--loaded", "--every", str(_EVERY_MINUTES)),
        ],
        environment={"MYSQL_HOST": "mysql", "MYSQL_USER": GRAFANA, "MYSQL_PASSWORD_FILE": _PASSWORD},
        files=[File(_PASSWORD, passwords["mysql-grafana"], is_secret=True)],
        shared=[SharedVolume(volume, folder)],
        health=HealthCheck(("CMD-SHELL", written), start_seconds=120),
    )
