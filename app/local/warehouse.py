"""The warehouse on one machine: the dataset, tables and views that Pulumi makes in the cloud, made by the client."""

from google.cloud import bigquery

from app.analytics import QUESTIONS
from app.analytics.sql import compile_question
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
        _create_view(f"{dataset}.{name}", compile_view(name, dataset))


def create_question_views(dataset: str) -> None:
    """Make a view for each question, of its name, in a dataset that `create_warehouse` made; what exists stays.

    Raises:
        google.api_core.exceptions.GoogleAPICallError: BigQuery refuses one.
    """
    for name in QUESTIONS:
        _create_view(f"{dataset}.{name}", compile_question(name, "bigquery", events=f"{dataset}.events"))


def _create_view(name: str, query: str) -> None:
    view = bigquery.Table(name)
    view.view_query = query
    bigquery_client().create_table(view, exists_ok=True)
