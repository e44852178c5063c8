"""What the README says is so: its commands exist and explain themselves, its layout and questions are the project's."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.analytics import QUESTIONS
from app.events.schema import RAW_COLUMNS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
SCRIPTS = sorted(path.name for path in (ROOT / "scripts").iterdir() if path.is_file() and not path.name.startswith("_"))


def test_every_script_is_named_and_every_named_script_exists() -> None:
    assert set(re.findall(r"scripts/(\w+)", README)) == set(SCRIPTS)


@pytest.mark.integration
@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_explains_itself(script: str) -> None:
    shown = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / script), "--help"], capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stderr
    assert f"scripts/{script}" in shown.stdout


def test_the_layout_names_folders_that_exist() -> None:
    layout = README.split("## Layout")[1].split("##")[0]
    folders = re.findall(r"^    (\S+/)\s", layout, re.MULTILINE)
    assert folders
    assert all((ROOT / folder).is_dir() for folder in folders)


def test_all_questions_and_columns_are_named() -> None:
    named = set(re.findall(r"`(\w+)`", README))
    assert set(QUESTIONS) <= named
    assert set(RAW_COLUMNS) <= named


def test_what_the_demo_leaves_is_named() -> None:
    assert (ROOT / "docs" / "report.png").exists()
    assert "build/demo/report.html" in README
