"""Tableau's published schema, where it is at hand: it is not part of the project."""

from pathlib import Path
from typing import Any

import pytest
from lxml import etree

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "tableau"
_XS = "{http://www.w3.org/2001/XMLSchema}"


def load() -> Any:
    """Give the newest schema, which also knows a data source as the root of a file; skip where there is none."""
    schemas = sorted(FOLDER.glob("twb_*.xsd"))
    if not schemas:
        pytest.skip(f"unavoidable: Tableau's schema is not in {FOLDER}")
    document = etree.parse(schemas[-1])
    root = document.getroot()
    for imported in root.findall(f"{_XS}import"):
        name = "user.xsd" if imported.get("namespace", "").endswith("/user") else "xml.xsd"
        imported.set("schemaLocation", str(FOLDER / name))
    root.append(etree.Element(f"{_XS}element", name="datasource", type="DataSource-CT"))
    return etree.XMLSchema(document)
