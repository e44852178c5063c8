"""Logs this computer in to a machine, at each `pulumi up`: makes its SSH key and registers it with OS Login.

Whoever runs `up` has a name and a key of their own there: the first deployment may be a person's, the next CI's, whose
computer is new each time. A preview needs no login, and so does none.
"""

import asyncio
import os
import subprocess
from typing import Final

import pulumi

from infra.place import Place

SWITCH: Final = "BATCH_LOGIN"
"""The variable that is `off` where no login is wanted, as the keys are there already, or nobody is."""
_PATIENCE_SECONDS: Final = 300
_SHOWN: Final = 1_000


async def log_in(place: Place, instance: str, known: str) -> str:
    """The name on the machine of who runs this; `known`, who waited for it first, where no login is wanted.

    Raises:
        pulumi.RunError: the login does not work; the message says what is needed.
    """
    if pulumi.runtime.is_dry_run() or os.environ.get(SWITCH) == "off":
        return known
    return await asyncio.to_thread(_name_on, place, instance)


def _name_on(place: Place, instance: str) -> str:
    command = [
        *("gcloud", "compute", "ssh", instance, f"--project={place.project}", f"--zone={place.zone}"),
        # A profile of OS Login holds 32 KiB: it fills up where each computer that deploys leaves a key for ever.
        *("--tunnel-through-iap", "--ssh-key-expire-after=1d", "--quiet", "--command=id --user --name"),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE_SECONDS)  # noqa: S603
    except FileNotFoundError as error:
        raise pulumi.RunError("gcloud is missing; install the Google Cloud CLI and log in with it") from error
    except subprocess.TimeoutExpired as error:
        raise pulumi.RunError(f"{instance} did not answer by SSH in {_PATIENCE_SECONDS} s") from error
    if done.returncode:
        raise pulumi.RunError(
            f"no login to {instance}; it needs the roles compute.osAdminLogin, iap.tunnelResourceAccessor and "
            f"iam.serviceAccountUser (setting batch.operators). gcloud said: {done.stderr[-_SHOWN:]}"
        )
    return done.stdout.strip()
