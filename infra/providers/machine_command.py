"""Runs a command on a machine without public address, by `gcloud compute ssh` through Identity-Aware Proxy.

`gcloud` makes the caller's SSH key, registers it with OS Login, and knows the machine's.
"""

import subprocess
import time
from typing import Any

from pulumi.dynamic import CreateResult, DiffResult, ResourceProvider

_PAUSE_SECONDS = 10
_TRY_SECONDS = 600
_SHOWN = 1_000


class Provider(ResourceProvider):
    """Inputs: project, zone, instance, instance_id, command, patience_seconds. Outputs: `stdout`."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Run it, again and again until it succeeds; raises RuntimeError when the patience is at its end."""
        end = time.monotonic() + props["patience_seconds"]
        while True:
            code, stdout, stderr = _run(props)
            if code == 0:
                return CreateResult(f"{props['instance']}/{props['instance_id']}", {**props, "stdout": stdout.strip()})
            if time.monotonic() > end:
                raise RuntimeError(
                    f"{props['instance']} did not run `{props['command']}` within {props['patience_seconds']:.0f} s. "
                    "Look at it with `gcloud compute ssh --tunnel-through-iap --ssh-key-expire-after=1d`, which needs "
                    "the roles compute.osAdminLogin, iap.tunnelResourceAccessor and iam.serviceAccountUser. "
                    f"The last try said: {stderr[-_SHOWN:]}"
                )
            time.sleep(_PAUSE_SECONDS)

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Say what makes it run anew: another machine or another command."""
        keys = [key for key in ("instance_id", "instance", "command") if olds.get(key) != news.get(key)]
        return DiffResult(changes=bool(keys), replaces=keys)


def _run(props: dict[str, Any]) -> tuple[int, str, str]:
    command = [
        *("gcloud", "compute", "ssh", props["instance"], f"--project={props['project']}", f"--zone={props['zone']}"),
        *("--tunnel-through-iap", "--ssh-key-expire-after=1d", "--quiet", f"--command={props['command']}"),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TRY_SECONDS)  # noqa: S603
    except FileNotFoundError as error:
        raise RuntimeError("gcloud is missing; install the Google Cloud CLI and log in with it") from error
    except subprocess.TimeoutExpired:
        return 1, "", f"no answer in {_TRY_SECONDS} s"
    return done.returncode, done.stdout, done.stderr
