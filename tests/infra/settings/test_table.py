"""The README's table of settings is the one that the declarations make."""

import subprocess
import sys
from pathlib import Path

from infra.settings.declaration import settings_of
from infra.settings.load import sections
from infra.settings.table import BEGIN, END, into_readme, markdown, of_readme

ROOT = Path(__file__).resolve().parents[3]


def test_every_setting_has_a_row() -> None:
    rows = markdown().splitlines()
    for name, kind in sections().items():
        for field in settings_of(kind):
            assert sum(row.startswith(f"| `{name}.{field}` |") for row in rows) == 1


def test_the_readme_has_the_table_as_it_is() -> None:
    assert of_readme((ROOT / "README.md").read_text()) == markdown(), "run: python -m infra.settings README.md"


def test_the_command_puts_the_table_between_the_marks_and_leaves_the_rest(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    subprocess.run([sys.executable, "-m", "infra.settings", str(readme)], check=True, cwd=ROOT)
    assert readme.read_text() == f"before\n{BEGIN}\n{markdown()}\n{END}\nafter\n"
    assert into_readme(readme.read_text()) == readme.read_text()


def test_a_readme_without_marks_has_no_table() -> None:
    assert of_readme("| `stream.enabled` |") is None
