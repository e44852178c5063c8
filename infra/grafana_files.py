"""Grafana's files."""

from collections.abc import Mapping


def grafana_files() -> Mapping[str, str]:
    """Text by path in /etc/grafana."""
    return {}
