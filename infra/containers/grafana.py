"""Grafana: the dashboards, read from files, over the three stores."""

from collections.abc import Mapping
from typing import Final

import pulumi

from app.batch.settings import SERVER_STORES
from app.dashboards.grafana import DASHBOARD_FOLDER
from infra.containers import SHOP_FOLDER
from infra.containers.images import GRAFANA, GRAFANA_PLUGINS
from infra.containers.spec import File, HealthCheck, SharedVolume, Spec
from infra.passwords import Passwords

PORT: Final = 3000
FOLDER: Final = "/etc/grafana"
_USER: Final = "472:0"


def grafana(
    passwords: Passwords,
    memory_mb: int,
    provisioned: Mapping[str, str],
    dashboards: pulumi.Input[str] | None = None,
) -> Spec:
    """Grafana with `provisioned`, the text of each file by its path in `FOLDER`. It can be changed here alone.

    Where `dashboards` names a volume, they come from there, and change as what the batch job writes there does.
    """
    own = {
        path: text
        for path, text in provisioned.items()
        if dashboards is None or not path.startswith(f"{DASHBOARD_FOLDER}/")
    }
    return Spec(
        role="grafana",
        image=GRAFANA,
        user=_USER,
        memory_mb=memory_mb,
        port=PORT,
        data_path="/var/lib/grafana",
        environment={
            "GF_PATHS_PROVISIONING": f"{FOLDER}/provisioning",
            "GF_SECURITY_ADMIN_PASSWORD__FILE": f"{SHOP_FOLDER}/administrator",
            "GF_SECURITY_DISABLE_GRAVATAR": "true",
            "GF_USERS_ALLOW_SIGN_UP": "false",
            "GF_AUTH_ANONYMOUS_ENABLED": "false",
            "GF_SNAPSHOTS_EXTERNAL_ENABLED": "false",
            "GF_ANALYTICS_REPORTING_ENABLED": "false",
            "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
            "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
            # Before the data sources are read, which need them.
            "GF_PLUGINS_PREINSTALL_SYNC": ",".join(GRAFANA_PLUGINS),
        },
        files=[
            File(f"{SHOP_FOLDER}/administrator", passwords["grafana-admin"], is_secret=True),
            *(File(f"{SHOP_FOLDER}/{store}", passwords[f"{store}-grafana"], is_secret=True) for store in SERVER_STORES),
            *(File(f"{FOLDER}/{path}", text) for path, text in sorted(own.items())),
        ],
        shared=[SharedVolume(dashboards, f"{FOLDER}/{DASHBOARD_FOLDER}", is_read_only=True)]
        if dashboards is not None
        else [],
        health=HealthCheck(
            ("CMD-SHELL", f"wget -q -O /dev/null http://127.0.0.1:{PORT}/api/health || exit 1"),
            start_seconds=120,
        ),
    )
