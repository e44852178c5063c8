"""The network lets in SSH through Google's proxy and nothing else; what is in it needs no public address."""

import pytest

from infra.network import IAP_RANGE, IAP_TAG
from tests.infra.environments import environment

CLOUD = ("dev", "staging", "prod")


@pytest.mark.parametrize("stack", CLOUD)
def test_machines_reach_google_privately_and_their_connections_are_logged(stack: str) -> None:
    declared = environment(stack)
    network = declared.one("gcp:compute/network:Network").inputs
    assert network["autoCreateSubnetworks"] is False
    subnet = declared.one("gcp:compute/subnetwork:Subnetwork").inputs
    assert subnet["privateIpGoogleAccess"] is True
    assert subnet["logConfig"]["flowSampling"] > 0
    assert subnet["network"] == f"projects/demo-project/global/networks/{network['name']}"


@pytest.mark.parametrize("stack", CLOUD)
def test_the_way_out_is_for_the_subnet_and_logs_errors(stack: str) -> None:
    nat = environment(stack).one("gcp:compute/routerNat:RouterNat").inputs
    assert nat["sourceSubnetworkIpRangesToNat"] == "LIST_OF_SUBNETWORKS"
    assert len(nat["subnetworks"]) == 1
    assert nat["logConfig"] == {"enable": True, "filter": "ERRORS_ONLY"}


@pytest.mark.parametrize("stack", CLOUD)
def test_only_ssh_through_the_proxy_comes_in(stack: str) -> None:
    allowing = [one.inputs for one in environment(stack).all("gcp:compute/firewall:Firewall") if "allows" in one.inputs]
    assert [(rule["sourceRanges"], rule["allows"], rule["targetTags"]) for rule in allowing] == [
        ([IAP_RANGE], [{"protocol": "tcp", "ports": ["22"]}], [IAP_TAG])
    ]


@pytest.mark.parametrize("stack", CLOUD)
def test_what_else_tries_to_come_in_is_logged(stack: str) -> None:
    (denying,) = (
        one.inputs for one in environment(stack).all("gcp:compute/firewall:Firewall") if "denies" in one.inputs
    )
    assert denying["sourceRanges"] == ["0.0.0.0/0"]
    assert denying["denies"] == [{"protocol": "all"}]
    assert denying["logConfig"]


@pytest.mark.parametrize("stack", CLOUD)
def test_no_machine_has_a_public_address(stack: str) -> None:
    for machine in environment(stack).all("gcp:compute/instance:Instance"):
        assert all("accessConfigs" not in interface for interface in machine.inputs["networkInterfaces"])
        assert IAP_TAG in machine.inputs["tags"]
