"""Whether a table of BigQuery has the columns of a schema."""

from typing import Final

import pyarrow as pa

from app.events.dialects import bigquery_fields
from app.gcp.clients import bigquery_client

_LEGACY: Final = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}
"""BigQuery's REST service has names of its own for some types."""


def differing_columns(table: str, schema: pa.Schema) -> list[str]:
    """What keeps every row of a schema out of a table (projects/P/datasets/D/tables/T), in words; empty if nothing.

    Raises google.api_core.exceptions.GoogleAPICallError.
    """
    _, project, _, dataset, _, name = table.split("/")
    fields = bigquery_client().get_table(f"{project}.{dataset}.{name}").schema
    found = {field.name: _LEGACY.get(field.field_type, field.field_type) for field in fields}
    wanted = {field["name"]: field["type"] for field in bigquery_fields(schema)}
    needed = [field.name for field in fields if field.mode == "REQUIRED" and field.name not in wanted]
    return [
        *(f"{name} is missing" for name in wanted if name not in found),
        *(f"{name} is {found[name]}, not {type_}" for name, type_ in wanted.items() if found.get(name, type_) != type_),
        *(f"{name} is required and not written" for name in needed),
    ]
