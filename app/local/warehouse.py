"""The warehouse on one machine: the dataset, tables and views that Pulumi makes in the cloud, made by the client."""

from google.cloud import bigquery

from app.analytics.views import VIEWS, compile_view
from app.events.dialects import bigquery_fields
from app.events.warehouse import TABLES
from app.gcp.clients import bigquery_client


def create_warehouse(dataset: str) -> None:
    """Make the dataset `project.dataset` with all tables and views; what exists stays.

    Raises:
        google.api_core.exceptions.GoogleAPICallError: BigQuery refuses one.
    """
    client = bigquery_client()
    client.create_dataset(dataset, exists_ok=True)
    for name, table in TABLES.items():
        made = bigquery.Table(
            f"{dataset}.{name}", [bigquery.SchemaField.from_api_repr(field) for field in bigquery_fields(table.schema)]
        )
        made.description = table.description
        made.time_partitioning = bigquery.TimePartitioning(field=table.partition_by)
        made.clustering_fields = list(table.cluster_by)
        client.create_table(made, exists_ok=True)
    for name in VIEWS:
        view = bigquery.Table(f"{dataset}.{name}")
        view.view_query = compile_view(name, dataset)
        client.create_table(view, exists_ok=True)
