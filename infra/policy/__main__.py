"""The policy pack: `pulumi preview --policy-pack infra/policy` runs this file."""

import sys
from pathlib import Path

# Pulumi starts the file by itself, with its folder as the module path.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pulumi_policy import PolicyPack

from infra.policy.pack import NAME, policies

PolicyPack(name=NAME, policies=policies())
