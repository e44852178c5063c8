"""No test logs in to a machine in the cloud, also where this computer could."""

import os

from infra.machine_login import SWITCH

os.environ[SWITCH] = "off"
