"""What a message's attributes say of its rows, and the settings of the pipeline."""

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from app.events.csv_codec import Block, decode_blocks
from app.stream.messages import block_of
from app.stream.settings import Settings, SettingsError

GOOD = {"subscription": "projects/p/subscriptions/s", "dataset": "p.shop"}


def test_a_block_is_located_by_its_source_and_first_row() -> None:
    attributes = {"format": "csv/1", "source": "gs://b/a.csv", "first_row": "501"}
    assert block_of(b"x\ny\n", attributes, "7") == Block(b"x\ny\n", "gs://b/a.csv", 501)


def test_a_message_without_attributes_is_its_own_source_and_may_begin_with_a_header() -> None:
    assert block_of(b"x", {}, "7") == Block(b"x", "pubsub:7", 1, may_have_header=True)


@pytest.mark.parametrize(
    "attributes",
    [
        {"source": "a.csv"},
        {"first_row": "5"},
        {"source": "", "first_row": "5"},
        {"source": "a.csv", "first_row": ""},
        {"source": "a.csv", "first_row": "-1"},
        {"source": "a.csv", "first_row": "5.0"},
        {"source": "a.csv", "first_row": "\u0665"},
        {"source": "a.csv", "first_row": "9" * 19},
        {"source": "a.csv", "first_row": "9" * 5_000},
    ],
)
def test_attributes_that_do_not_locate_rows_are_not_believed(attributes: dict[str, str]) -> None:
    assert block_of(b"x", attributes, "7").source == "pubsub:7"


@pytest.mark.parametrize("attributes", [{}, {"source": "a.csv", "first_row": "7"}])
def test_a_message_names_the_columns_of_its_rows(attributes: dict[str, str]) -> None:
    row = b"s;3;2019-10-01 00:00:01;;view;1;2;;apple;9.90"
    columns = "user_session;user_id;event_time;;event_type;product_id;category_id;category_code;brand;price"
    named = block_of(row, attributes | {"columns": columns}, "7")
    (event,) = decode_blocks([named]).events.to_pylist()
    assert (event["user_session"], event["user_id"], event["brand"]) == ("s", 3, "apple")
    assert len(decode_blocks([block_of(row, attributes | {"columns": "price;brand"}, "7")]).bad) == 1


def test_messages_without_an_id_are_told_apart_by_their_content() -> None:
    sources = {block_of(data, {}, "").source for data in (b"x", b"y", b"x")}
    assert len(sources) == 2
    assert all(source.startswith("pubsub:") for source in sources)


@pytest.mark.parametrize(
    ("setting", "value", "example"),
    [
        ("subscription", "events", "projects/my-project/subscriptions/events"),
        ("dataset", "shop", "my-project.shop"),
        ("archive", "bucket", "gs://my-bucket/archive"),
        ("count_every_seconds", 0, "1 to 3600"),
        ("keep_days", -1, "0 to 365"),
        ("archive_every_seconds", 100_000, "1 to 86400"),
        ("shards", 0, "1 to 10000"),
        ("earliest", "2019", "2017-01-01"),
        ("latest", "tomorrow", "+1d"),
        ("latest", "2016-12-31", "2016-12-31"),
        ("until_idle", 5.0, "only together with pull"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value_and_an_example(setting: str, value: object, example: str) -> None:
    with pytest.raises(SettingsError) as error:
        Settings(**(GOOD | {setting: value}))  # type: ignore[arg-type]
    assert setting in str(error.value)
    assert str(value) in str(error.value)
    assert example in str(error.value)


def test_all_wrong_settings_are_named_at_once() -> None:
    with pytest.raises(SettingsError, match=r"subscription.*dataset.*shards"):
        Settings(subscription="", dataset="", shards=0)


def test_settings_come_from_the_pipelines_options() -> None:
    options = [f"--{name}={value}" for name, value in GOOD.items()]
    found = Settings.from_options(
        PipelineOptions([*options, "--shards=3", "--pull", "--until_idle=1.5", "--no_rebuild"])
    )
    assert found == Settings(**GOOD, shards=3, pull=True, until_idle=1.5, rebuild=False)  # type: ignore[arg-type]
