"""The command that previews, with a stand-in for Pulumi's program that tells what a real run told."""

import json
import os
from pathlib import Path

import pytest

from infra.ci import preview
from infra.cost.__main__ import main as cost_main

EVENTS = Path(__file__).parent / "events" / "broken_rule.jsonl"


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the stand-in tells; its arguments are kept beside it."""
    program = tmp_path / "bin" / "pulumi"
    program.parent.mkdir()
    events = tmp_path / "events.jsonl"
    program.write_text(
        f"""#!/bin/sh
test "$PULUMI_ENABLE_STREAMING_JSON_PREVIEW" = true || exit 9
printf '%s\\n' "$@" > {tmp_path}/arguments
cat {events}
exit "${{EXIT_CODE:-0}}"
"""
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return events


def arguments(told: Path) -> list[str]:
    return (told.parent / "arguments").read_text().splitlines()


def run(told: Path, *more: str) -> tuple[int, str]:
    section = told.parent / "sections" / "prod.md"
    code = preview.main(["--stack", "prod", "--section", str(section), *more])
    return code, section.read_text()


def test_a_broken_rule_fails_and_is_in_the_section(told: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told.write_text(EVENTS.read_text())
    monkeypatch.setenv("EXIT_CODE", "1")
    code, section = run(told)
    assert code == 1
    assert "Resources: **1 replaced, 3 changed**" in section
    assert "Rules: **broken**" in section
    assert "Cost: about **" in section
    assert "It failed" not in section
    assert arguments(told) == [
        "preview",
        "--stack",
        "prod",
        "--json",
        "--non-interactive",
        "--policy-pack",
        "infra/policy",
    ]


def test_a_preview_that_is_well_compares_the_cost_with_the_base(told: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told.write_text('{"cancelEvent": {}}\n')
    code, section = run(told, "--base", str(preview.ROOT))
    assert code == 0
    assert "Resources: nothing changes." in section
    assert "unchanged" in section
    assert capsys.readouterr().out == section
    assert cost_main(["--stack", "prod", "--json"]) == 0
    assert f"{json.loads(capsys.readouterr().out)['usdAMonth']:,.2f}" in section


def test_a_base_without_an_estimate_is_no_failure(told: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(preview.ROOT))
    told.write_text('{"cancelEvent": {}}\n')
    code, section = run(told, "--base", str(told.parent))
    assert code == 0
    assert "there is no estimate to compare it with" in section


@pytest.mark.parametrize("text", ["", "error: no stack named 'prod' found\n"])
def test_a_program_that_fails_without_a_word_is_said_to_have_failed(
    told: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    told.write_text(text)
    monkeypatch.setenv("EXIT_CODE", "255")
    code, section = run(told)
    assert code == 1
    assert "**It failed:**" in section


def test_drift_is_exit_code_3_and_its_absence_an_empty_section(told: Path) -> None:
    told.write_text('{"cancelEvent": {}}\n')
    assert run(told, "--drift") == (0, "")
    changed = {
        "op": "update",
        "urn": "urn:pulumi:prod::shop-analytics::gcp:storage/bucket:Bucket::prod-events",
        "type": "gcp:storage/bucket:Bucket",
        "diffs": ["labels"],
    }
    told.write_text(json.dumps({"resOutputsEvent": {"metadata": changed}}) + "\n")
    code, section = run(told, "--drift")
    assert code == 3
    assert "| changed | `prod-events` |" in section
    assert "--refresh" in arguments(told)
    assert "--policy-pack" not in arguments(told)
    assert "Cost" not in section
