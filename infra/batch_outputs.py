"""What an environment tells of its batch pipeline: where Grafana is, how to reach it, and with which password."""

from typing import Final

import pulumi

from infra.cloud_batch import CloudBatch
from infra.containers import grafana
from infra.local_batch import LocalBatch
from infra.place import Place

_CONSOLE: Final = "https://console.cloud.google.com"
_USER: Final = "admin"


def cloud_batch_outputs(place: Place, batch: CloudBatch, port_offset: int) -> None:
    """Export the commands that lead to the machine, and links."""
    host, port = batch.host.instance.name, grafana.PORT + port_offset
    options = f"--project={place.project} --zone={place.zone} --tunnel-through-iap"
    login = pulumi.Output.concat("gcloud compute ssh --ssh-key-expire-after=1d ", host, f" {options}")
    pulumi.export(
        "batch",
        {
            "grafanaTunnel": pulumi.Output.concat(login, f" -- -N -L {port}:127.0.0.1:{port}"),
            "grafana": f"http://127.0.0.1:{port}",
            "grafanaUser": _USER,
            "grafanaPassword": (
                f"gcloud secrets versions access latest --project={place.project} "
                f"--secret={place.name('grafana-admin')}"
            ),
            "login": login,
            "jobLog": (
                f"gcloud dataproc batches list --project={place.project} --region={place.region}"
                if batch.dataproc
                else pulumi.Output.concat(login, f" --command='docker logs --tail=100 {place.name('batch-job')}'")
            ),
            "machine": pulumi.Output.concat(
                f"{_CONSOLE}/compute/instancesDetail/zones/{place.zone}/instances/", host, f"?project={place.project}"
            ),
        },
    )


def local_batch_outputs(environment: str, batch: LocalBatch) -> None:
    """Export where Grafana is on this computer, and its password, which `--show-secrets` shows."""
    pulumi.export(
        "batch",
        {
            "grafana": pulumi.Output.concat("http://127.0.0.1:", batch.stack.ports["grafana"].apply(str)),
            "grafanaUser": _USER,
            "jobLog": f"docker logs --follow {environment}-batch-job",
        },
    )
    pulumi.export("grafanaPassword", batch.passwords["grafana-admin"])
