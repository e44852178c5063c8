"""What every store reads of its environment variables: a password, which may be in a file, and whole numbers."""

from collections.abc import Mapping
from pathlib import Path

from app.batch.errors import SettingsError

Bounds = tuple[int, int, int]
"""The least and the most that a number may be, and what it is by default."""


def password(environment: Mapping[str, str], store: str) -> str | None:
    """The value of STORE_PASSWORD, else what is in the file that STORE_PASSWORD_FILE names; None without either.

    Raises:
        SettingsError: the file cannot be read.
    """
    if f"{store}_PASSWORD" in environment:
        return environment[f"{store}_PASSWORD"]
    file = environment.get(f"{store}_PASSWORD_FILE")
    if not file:
        return None
    try:
        return Path(file).read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{store}_PASSWORD_FILE: {file} cannot be read: {error}") from error


def whole_numbers(environment: Mapping[str, str], store: str, bounds: Mapping[str, Bounds]) -> dict[str, int]:
    """The values of STORE_NAME for each name in `bounds`, or their defaults.

    Raises:
        SettingsError: one is no whole number.
    """
    found = {}
    for name, (_, _, default) in bounds.items():
        variable = f"{store}_{name.upper()}"
        text = environment.get(variable) or str(default)
        if not text.isascii() or not text.isdecimal():
            raise SettingsError(f"{variable}: {text!r} is no whole number; for example {default}")
        found[name] = int(text)
    return found


def in_bounds(settings: object, store: str, bounds: Mapping[str, Bounds]) -> list[tuple[bool, str]]:
    """For each name in `bounds`, whether the settings' value is allowed, and what to say if it is not."""
    rules = []
    for name, (least, most, default) in bounds.items():
        value = getattr(settings, name)
        fault = f"{store}_{name.upper()}: {value} is not in {least} to {most}; for example {default}"
        rules.append((least <= value <= most, fault))
    return rules
