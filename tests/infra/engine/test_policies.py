"""The policy pack in the real engine: what breaks a rule does not get past its preview."""

import pulumi
import pytest
from pulumi import automation
from pulumi_gcp import storage

from tests.infra.engine.workbench import PLACE, POLICIES, Workbench

# Where the CLI has to be built, the first test waits for it.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(3_600)]


def _with_an_open_bucket() -> None:
    storage.Bucket(
        "open", name="shop-open", location="EU", uniform_bucket_level_access=False, public_access_prevention="inherited"
    )
    pulumi.export("declared", True)


def test_a_preview_fails_where_a_rule_is_broken_and_says_which(workbench: Workbench) -> None:
    stack = workbench.stack("staging", PLACE, _with_an_open_bucket)
    assert stack.preview().change_summary
    with pytest.raises(automation.CommandError) as caught:
        stack.preview(policy_packs=POLICIES)
    said = str(caught.value)
    assert "[mandatory]" in said
    assert "open" in said
