"""BigQuery: the logs that the pipeline appends to, views that say what is true, and an answer for each question.

    dataset <environment>_shop           event_log, bad_event_log, activity_log, session_log; events, ledger, ...
    dataset <environment>_shop_answers   daily_activity, top_brands, ... : a view for each question

Who reads answers needs nothing else: the dataset of answers as a whole may read the logs, its readers may not.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import pulumi
from pulumi_gcp import bigquery

from app.analytics import QUESTIONS
from app.analytics.views import VIEWS, compile_answer, compile_view
from app.events.dialects import bigquery_fields
from app.events.warehouse import TABLES, Table
from infra.place import Place
from infra.settings.security import SecuritySettings
from infra.settings.warehouse import WarehouseSettings

_DAY_MS: Final = 86_400_000
_NAMES_OF_SERVICE: Final = {"INT64": "INTEGER", "BOOL": "BOOLEAN", "FLOAT64": "FLOAT"}
"""How the service names a type when it is asked, so that a refresh finds what was declared."""


@dataclass(frozen=True)
class WarehouseArgs:
    """Where the data is, what is kept of it, and the key that encrypts it."""

    place: Place
    settings: WarehouseSettings
    security: SecuritySettings
    key: pulumi.Input[str] | None


class Warehouse(pulumi.ComponentResource):
    """Datasets, tables and views."""

    dataset: pulumi.Output[str]
    """Id of the dataset of logs and views."""
    answers: pulumi.Output[str]
    """Id of the dataset of answers."""
    tables: dict[str, pulumi.Output[str]]
    """Id of each log by its name in `app.events.warehouse`. There is a table of that id when it is known."""

    def __init__(self, name: str, args: WarehouseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:Warehouse", name, None, opts)
        self._args, self._name = args, name
        dataset_id = f"{args.place.environment.replace('-', '_')}_{args.settings.dataset}"
        since = datetime.fromisoformat(args.settings.history_from).replace(tzinfo=UTC)
        logs = self._dataset("logs", dataset_id, "Logs of the streaming pipeline, and views that say what is true")
        answers = self._dataset("answers", f"{dataset_id}_answers", "An answer to each business question")
        self._let_answers_read(logs, answers)
        tables = {log: self._log(log, table, logs) for log, table in TABLES.items()}
        made = list(tables.values())
        path = f"{args.place.project}.{dataset_id}"
        for view, what in VIEWS.items():
            self._view(view, logs, what.description, compile_view(view, path, since=since), made)
        for question, asked in QUESTIONS.items():
            self._view(question, answers, asked.title, compile_answer(question, path, since=since), made)
        self.dataset, self.answers = logs.dataset_id, answers.dataset_id
        self.tables = {log: table.table_id for log, table in tables.items()}
        self.register_outputs({"dataset": self.dataset, "answers": self.answers, "tables": self.tables})

    def _dataset(self, role: str, dataset_id: str, description: str) -> bigquery.Dataset:
        args = self._args
        return bigquery.Dataset(
            f"{self._name}-{role}",
            dataset_id=dataset_id,
            project=args.place.project,
            location=(args.settings.location or args.place.region),
            description=description,
            delete_contents_on_destroy=not args.security.deletion_protection,
            max_time_travel_hours=str(args.settings.time_travel_hours),
            default_encryption_configuration=bigquery.DatasetDefaultEncryptionConfigurationArgs(kms_key_name=args.key)
            if args.key
            else None,
            labels=args.place.labels("warehouse"),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _let_answers_read(self, logs: bigquery.Dataset, answers: bigquery.Dataset) -> None:
        bigquery.DatasetAccess(
            f"{self._name}-answers-read-logs",
            project=self._args.place.project,
            dataset_id=logs.dataset_id,
            authorized_dataset=bigquery.DatasetAccessAuthorizedDatasetArgs(
                dataset=bigquery.DatasetAccessAuthorizedDatasetDatasetArgs(
                    project_id=self._args.place.project, dataset_id=answers.dataset_id
                ),
                target_types=["VIEWS"],
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _log(self, name: str, table: Table, logs: bigquery.Dataset) -> bigquery.Table:
        args, days = self._args, self._args.settings.expiry_days
        return bigquery.Table(
            f"{self._name}-{name}",
            table_id=name,
            dataset_id=logs.dataset_id,
            project=args.place.project,
            description=table.description,
            schema=json.dumps([_field(field) for field in bigquery_fields(table.schema)]),
            time_partitioning=bigquery.TableTimePartitioningArgs(
                type="DAY", field=table.partition_by, expiration_ms=days * _DAY_MS if days else None
            ),
            require_partition_filter=True,
            clusterings=list(table.cluster_by),
            deletion_protection=args.security.deletion_protection,
            encryption_configuration=bigquery.TableEncryptionConfigurationArgs(kms_key_name=args.key)
            if args.key
            else None,
            labels=args.place.labels("warehouse"),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _view(
        self, name: str, dataset: bigquery.Dataset, description: str, query: str, logs: list[bigquery.Table]
    ) -> None:
        bigquery.Table(
            f"{self._name}-{name}",
            table_id=name,
            dataset_id=dataset.dataset_id,
            project=self._args.place.project,
            description=description,
            view=bigquery.TableViewArgs(query=query, use_legacy_sql=False),
            # A view holds nothing that could be lost.
            deletion_protection=False,
            labels=self._args.place.labels("warehouse"),
            opts=pulumi.ResourceOptions(parent=self, depends_on=logs),
        )


def _field(field: dict[str, Any]) -> dict[str, Any]:
    return field | {"type": _NAMES_OF_SERVICE.get(field["type"], field["type"])}
