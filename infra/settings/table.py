"""The table of all settings, as the README shows it, made from their declarations."""

from collections.abc import Iterator
from typing import Any, Final

from infra.settings.declaration import camel_case, settings_of
from infra.settings.forms import PROJECT_ID, REGION, ZONE
from infra.settings.load import sections

BEGIN: Final = "<!-- settings: made by `python -m infra.settings` -->"
END: Final = "<!-- end of settings -->"


def markdown() -> str:
    """The table in Markdown, a row for each setting; keys under this project's name are given without it."""
    rows = [
        _row(
            "gcp:project", PROJECT_ID.kind, None, PROJECT_ID.allowed, "the project that all is made in; must be given"
        ),
        _row("gcp:region", REGION.kind, None, REGION.allowed, "the region that all is made in; must be given"),
        _row("gcp:zone", ZONE.kind, "zone b of the region", ZONE.allowed, "the zone that machines are in"),
        *_section_rows(),
    ]
    return "\n".join(["| setting | type | default | allowed | meaning |", "| --- | --- | --- | --- | --- |", *rows])


def _section_rows() -> Iterator[str]:
    for name, kind in sections().items():
        for field, (declared, default) in settings_of(kind).items():
            key = f"{camel_case(name)}.{field}"
            yield _row(key, declared.rule.kind, _shown(default), declared.rule.allowed, declared.meaning)


def _row(key: str, kind: str, default: str | None, allowed: str, meaning: str) -> str:
    cells = (f"`{key}`", kind, default or "", allowed, meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _shown(default: Any) -> str:
    if default is None or default == ():
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    return ", ".join(map(str, default)) if isinstance(default, tuple) else str(default)


def of_readme(readme: str) -> str | None:
    """The table that a README has between the marks; None where the marks are missing."""
    _, begin, rest = readme.partition(BEGIN)
    table, end, _ = rest.partition(END)
    return table.strip() if begin and end else None


def into_readme(readme: str) -> str:
    """The README with the table as it is now."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{markdown()}\n{END}{after}"
