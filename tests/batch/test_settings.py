from pathlib import Path
from typing import Any

import pytest

from app.batch.errors import SettingsError
from app.batch.settings import Settings
from app.batch.spark_session import spark_settings


def settings(**values: Any) -> Settings:
    return Settings(**{"events": ("events.csv",), "out": Path("out"), **values})


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"events": ()}, "events"),
        ({"replace": ("events.csv",)}, "replace"),
        ({"stores": ("embedded", "oracle")}, "oracle"),
        ({"stores": ()}, "stores"),
        ({"stores": ("redis", "redis")}, "twice"),
        ({"out": None, "staging": "gs://shop/staging"}, "out: the store embedded"),
        ({"out": None, "stores": ("redis",)}, "staging"),
        ({"master": "local-cluster[2]"}, "local-cluster"),
        ({"memory": "2 GB"}, "2 GB"),
        ({"master": "lokal"}, "lokal"),
        ({"gcs_connector": "gcs-connector"}, "gcs-connector"),
        ({"split_mb": 0}, "split_mb: 0"),
        ({"shuffle_partitions": -1}, "shuffle_partitions: -1"),
        ({"questions_at_once": 0}, "questions_at_once: 0"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value(values: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        settings(**values)


def test_all_wrong_settings_are_told_at_once() -> None:
    with pytest.raises(SettingsError, match=r"memory: .*split_mb: "):
        settings(memory="much", split_mb=0)


def test_spark_settings_of_the_user_win(tmp_path: Path) -> None:
    chosen = spark_settings(settings(spark={"spark.sql.adaptive.enabled": "false"}), tmp_path)
    assert chosen["spark.sql.adaptive.enabled"] == "false"
    assert chosen["spark.sql.session.timeZone"] == "UTC"


def test_java_optimizes_its_code_only_where_the_run_is_long(tmp_path: Path) -> None:
    options = [
        spark_settings(settings(), tmp_path, size)["spark.driver.extraJavaOptions"] for size in (1 << 20, 8 << 30)
    ]
    assert ["TieredStopAtLevel=1" in text for text in options] == [True, False]


def test_on_a_cluster_spark_keeps_its_own_memory_and_addresses(tmp_path: Path) -> None:
    chosen = spark_settings(settings(master="yarn"), tmp_path)
    own = {
        "spark.master",
        "spark.driver.memory",
        "spark.driver.extraJavaOptions",
        "spark.driver.host",
        "spark.local.dir",
        "spark.sql.shuffle.partitions",
    }
    assert not own & set(chosen)


def test_the_gcs_connector_reads_the_emulator_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:4443")
    chosen = spark_settings(settings(gcs_connector="connector.jar"), tmp_path)
    assert chosen["spark.jars"] == "connector.jar"
    assert chosen["spark.hadoop.fs.gs.storage.root.url"] == "http://127.0.0.1:4443/"
