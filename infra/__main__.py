"""The program that `pulumi up` runs: what is in an environment, and what goes from where to where.

streaming   event files -> Publisher -> Messages -> StreamJob -> Warehouse, and an archive
batch       event files -> the job and its stores, on a machine, on Dataproc or on this computer
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pulumi
from pulumi.runtime.config import CONFIG

from infra.network import Network, NetworkArgs
from infra.order import after
from infra.services import Services, ServicesArgs
from infra.settings import load

settings = load(CONFIG.get(), pulumi.get_stack())
place = settings.place

if settings.on_google_cloud:
    services = Services(place.name("services"), ServicesArgs(place, ("compute", "storage")))
    network = Network(place.name("network"), NetworkArgs(place, settings.network), after(services))
