"""The command that shows an estimate."""

import json
from pathlib import Path

import pytest

from infra.cost.__main__ import main


def test_it_shows_components_a_sum_and_a_caution(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--stack", "prod"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("prod: about ")
    assert "USD a month" in shown
    assert "It is no bill." in shown


def test_it_shows_the_difference_to_an_earlier_estimate(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["--stack", "dev", "--json"]) == 0
    earlier = tmp_path / "before.json"
    earlier.write_text(capsys.readouterr().out)
    assert json.loads(earlier.read_text())["environment"] == "dev"
    assert main(["--stack", "dev", "--against", str(earlier)]) == 0
    assert "(+0.00)" in capsys.readouterr().out


def test_it_needs_no_project(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "Pulumi.mine.yaml").write_text("config:\n  shop-analytics:publisher:\n    enabled: false\n")
    assert main(["--stack", "mine", "--folder", str(tmp_path)]) == 0
    assert "publisher" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("config:\n  shop-analytics:publisher:\n    machineType: huge\n", "publisher.machineType"),
        ("config: [1\n", "is no file of settings"),
    ],
)
def test_settings_that_are_not_valid_are_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "Pulumi.mine.yaml").write_text(text)
    assert main(["--stack", "mine", "--folder", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err


def test_what_is_missing_or_no_estimate_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["--stack", "nowhere"]) == 2
    assert "Pulumi.nowhere.yaml" in capsys.readouterr().err
    (tmp_path / "x.json").write_text("{}")
    assert main(["--stack", "dev", "--against", str(tmp_path / "x.json")]) == 2
    assert "is no estimate" in capsys.readouterr().err
