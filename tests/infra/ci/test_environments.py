"""Which environments CI may reach, by the variables of the repository."""

import json

import pytest

from infra.ci.environments import NEEDED, VariableError, in_order, main, reachable

CONNECTION = {name: f"the {name}" for name in NEEDED}
TEXT = json.dumps(CONNECTION)


def test_they_come_in_the_order_of_deployment() -> None:
    found = reachable({"SHOP_PROD": TEXT, "SHOP_DEV": TEXT, "OTHER": "x", "SHOP_MY_TRY": TEXT})
    assert list(found) == ["dev", "prod", "my-try"]
    assert found["dev"] == CONNECTION
    assert in_order(["prod", "a", "staging", "dev"]) == ["dev", "staging", "prod", "a"]


@pytest.mark.parametrize("text", ["", "no json", "[]", json.dumps({"none": "Set ci.repository"}), '{"project": 1}'])
def test_a_variable_that_is_not_the_stack_output_is_named_with_what_to_do(text: str) -> None:
    with pytest.raises(VariableError, match=r"gh variable set SHOP_DEV .*pulumi stack output ci --json --stack dev"):
        reachable({"SHOP_DEV": text})


def test_the_outputs_are_names_and_a_matrix(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VARIABLES", json.dumps({"SHOP_DEV": TEXT, "SHOP_PROD": TEXT}))
    assert main() == 0
    names, include = capsys.readouterr().out.splitlines()
    assert names == "names=dev,prod"
    assert json.loads(include.removeprefix("include=")) == [
        {"environment": "dev", **CONNECTION},
        {"environment": "prod", **CONNECTION},
    ]


def test_without_variables_there_is_nothing_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VARIABLES", "{}")
    assert main() == 0
    assert capsys.readouterr().out == "names=\ninclude=[]\n"


def test_a_wrong_variable_ends_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("VARIABLES", json.dumps({"SHOP_PROD": "{}"}))
    assert main() == 2
    assert "SHOP_PROD" in capsys.readouterr().err
