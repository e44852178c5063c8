"""The warehouse has the tables that the pipeline writes and a view for each question, and is protected by setting."""

import json

import pytest

from app.analytics import QUESTIONS
from app.analytics.views import VIEWS
from app.events.dialects import bigquery_fields
from app.events.warehouse import TABLES
from tests.infra.declared import Resource
from tests.infra.environments import environment

TABLE = "gcp:bigquery/table:Table"


def table(name: str, stack: str = "dev", **sections: object) -> Resource:
    return environment(stack, **sections).one(TABLE, f"{stack}-warehouse-{name}")


@pytest.mark.parametrize("name", TABLES)
def test_a_log_has_the_columns_partitions_and_clusters_of_its_definition(name: str) -> None:
    defined, made = TABLES[name], table(name).inputs
    columns = json.loads(made["schema"])
    assert [(one["name"], one["mode"]) for one in columns] == [
        (one["name"], one["mode"]) for one in bigquery_fields(defined.schema)
    ]
    assert {one["type"] for one in columns} <= {"BYTES", "TIMESTAMP", "STRING", "INTEGER", "NUMERIC", "BOOLEAN"}
    assert all(one["description"] for one in columns)
    assert made["timePartitioning"] == {"type": "DAY", "field": defined.partition_by}
    assert made["clusterings"] == list(defined.cluster_by)
    assert made["requirePartitionFilter"] is True
    assert made["datasetId"] == "dev_shop"


def test_partitions_are_deleted_by_setting() -> None:
    made = table("event_log", warehouse={"expiryDays": 400}).inputs
    assert made["timePartitioning"]["expirationMs"] == 400 * 86_400_000


@pytest.mark.parametrize(("stack", "protected"), [("dev", False), ("staging", False), ("prod", True)])
def test_logs_are_protected_from_deletion_by_setting_and_views_never_are(stack: str, protected: bool) -> None:
    for made in environment(stack).all(TABLE):
        assert made.inputs["deletionProtection"] is (protected and "view" not in made.inputs), made.name
    for dataset in environment(stack).all("gcp:bigquery/dataset:Dataset"):
        assert dataset.inputs["deleteContentsOnDestroy"] is not protected


@pytest.mark.parametrize("name", VIEWS)
def test_each_view_of_the_logs_is_beside_them(name: str) -> None:
    made = table(name).inputs
    assert made["datasetId"] == "dev_shop"
    assert made["view"]["useLegacySql"] is False
    assert "`demo-project`.`dev_shop`.`" in made["view"]["query"]


@pytest.mark.parametrize("name", QUESTIONS)
def test_each_question_has_a_view_that_reads_the_logs_alone(name: str) -> None:
    made = table(name)
    assert made.inputs["datasetId"] == "dev_shop_answers"
    assert made.inputs["description"] == QUESTIONS[name].title
    assert "FROM `demo-project`.`dev_shop`.`event_log`" in made.inputs["view"]["query"]
    assert "`events`" not in made.inputs["view"]["query"].replace("AS `events`", "").replace(".`events`", "")
    assert {f"dev-warehouse-{log}" for log in TABLES} <= made.depends_on


def test_views_hide_nothing_that_was_stored_unless_it_is_set() -> None:
    query = table("daily_activity").inputs["view"]["query"]
    assert "`event_time` >= TIMESTAMP('0001-01-01T00:00:00+00:00')" in query


def test_views_begin_with_the_history_that_is_set() -> None:
    query = table("daily_activity", warehouse={"historyFrom": "2019-10-01"}).inputs["view"]["query"]
    assert "`event_time` >= TIMESTAMP('2019-10-01T00:00:00+00:00')" in query


def test_all_views_of_answers_may_read_the_logs() -> None:
    access = environment("dev").one("gcp:bigquery/datasetAccess:DatasetAccess").inputs
    assert access["datasetId"] == "dev_shop"
    assert access["authorizedDataset"] == {
        "dataset": {"projectId": "demo-project", "datasetId": "dev_shop_answers"},
        "targetTypes": ["VIEWS"],
    }
    # Google's provider takes the authorization away again where members of IAM are added to the same dataset.
    assert all(
        grant.inputs["datasetId"] != "dev_shop"
        for grant in environment("dev").all("gcp:bigquery/datasetIamMember:DatasetIamMember")
    )


def test_dashboards_and_named_people_read_answers_and_nothing_else() -> None:
    declared = environment("dev", warehouse={"readers": ["group:analysts@example.com"]})
    account = "serviceAccount:dev-dashboards@demo-project.iam.gserviceaccount.com"
    for member in (account, "group:analysts@example.com"):
        rights = {
            (one.type.partition("/")[0], one.inputs.get("datasetId"), one.inputs["role"])
            for one in declared.resources
            if one.inputs.get("member") == member
        }
        assert rights == {
            ("gcp:bigquery", "dev_shop_answers", "roles/bigquery.dataViewer"),
            ("gcp:projects", None, "roles/bigquery.jobUser"),
        }


def test_datasets_are_in_the_location_that_is_set() -> None:
    for dataset in environment("dev", warehouse={"location": "EU"}).all("gcp:bigquery/dataset:Dataset"):
        assert dataset.inputs["location"] == "EU"
