"""An estimate adds up, says its assumptions, and follows the settings."""

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from infra.cost.estimate import Estimate, changes, estimate
from infra.cost.prices import Price, list_prices
from infra.cost.shown import as_text, changes_as_markdown, changes_as_text
from infra.settings import Settings, load
from infra.settings.stack_file import stack_config
from tests.infra.declared import GCP, ROOT

STACKS = ("dev", "staging", "prod")


def settings(stack: str = "prod", **sections: Any) -> Settings:
    given = {f"shop-analytics:{name}": json.dumps(value) for name, value in sections.items()}
    return load(GCP | stack_config(ROOT, stack) | given, stack)


def usd(estimated: Estimate, component: str, item: str) -> float:
    return sum(line.usd or 0 for line in estimated.lines if (line.component, line.item) == (component, item))


def test_every_price_has_a_source_and_a_date() -> None:
    for sku, price in list_prices().skus.items():
        assert price.source.startswith("https://cloud.google.com/"), sku
        assert date(2024, 1, 1) < price.date, sku
        assert price.usd > 0


@pytest.mark.parametrize("stack", STACKS)
def test_every_line_of_an_environment_has_a_price_and_a_reason(stack: str) -> None:
    estimated = estimate(settings(stack))
    assert estimated.without_price == ()
    assert estimated.usd > 0
    assert all(line.why and line.unit and line.quantity > 0 for line in estimated.lines)
    keys = [(line.component, line.item) for line in estimated.lines]
    assert len(set(keys)) == len(keys)


def test_the_sum_is_that_of_the_components_and_of_the_lines() -> None:
    estimated = estimate(settings())
    assert sum(estimated.by_component().values()) == pytest.approx(estimated.usd)
    assert sum(line.usd or 0 for line in estimated.lines) == pytest.approx(estimated.usd)


def test_what_is_free_is_not_paid() -> None:
    few = estimate(settings(costs={"eventsADay": 1_000}))
    assert usd(few, "warehouse", "rows written") == 0
    assert usd(few, "messages", "published and delivered") == 0


def test_a_worker_costs_its_processors_and_its_memory() -> None:
    estimated = estimate(settings(stream={"machineType": "n2-standard-2", "minWorkers": 3, "maxWorkers": 3}))
    assert usd(estimated, "stream", "workers, processors") == pytest.approx(3 * 2 * 730 * 0.069)
    assert usd(estimated, "stream", "workers, memory") == pytest.approx(3 * 8 * 730 * 0.003557)


def test_workers_on_average_are_not_over_the_most() -> None:
    estimated = estimate(settings(stream={"maxWorkers": 2}, costs={"averageWorkers": 9}))
    assert usd(estimated, "stream", "workers, processors") == pytest.approx(2 * 2 * 730 * 0.069)


def test_ten_times_the_events_cost_ten_times_as_much_to_keep() -> None:
    one, ten = (estimate(settings(costs={"eventsADay": count})) for count in (1_000_000, 10_000_000))
    assert usd(ten, "warehouse", "older rows") == pytest.approx(10 * usd(one, "warehouse", "older rows"))


def test_a_pipeline_that_is_switched_off_costs_nothing() -> None:
    components = {line.component for line in estimate(settings(stream=False)).lines}
    assert not components & {"stream", "publisher", "messages", "warehouse"}


def test_the_job_on_dataproc_costs_by_the_hours_that_it_runs() -> None:
    one, two = (estimate(settings(batch={"run": "dataproc"}, costs={"batchHoursADay": hours})) for hours in (1, 2))
    assert usd(one, "batch", "Dataproc") == pytest.approx(12 * 730 / 24 * 0.06)
    assert usd(two, "batch", "Dataproc") == pytest.approx(2 * usd(one, "batch", "Dataproc"))
    assert usd(estimate(settings()), "batch", "Dataproc") == 0


def test_a_disk_costs_by_its_size_and_by_its_snapshots() -> None:
    estimated = estimate(settings(batch={"dataDiskGb": 400, "snapshotDays": 10}))
    assert usd(estimated, "batch", "data disk") == pytest.approx(400 * 0.10)
    assert usd(estimated, "batch", "snapshots") == pytest.approx(400 * 0.5 * 1.5 * 0.05)


def test_the_local_environment_costs_nothing() -> None:
    assert estimate(load(stack_config(ROOT, "local"), "local")).lines == ()


def test_a_machine_without_a_price_is_named_and_not_taken_for_free() -> None:
    estimated = estimate(settings(publisher={"machineType": "z9-standard-4"}))
    assert [line.sku for line in estimated.without_price] == ["z9-vcpu", "z9-memory"]
    assert "z9-vcpu" in as_text(estimated)


def test_an_estimate_survives_being_written_and_read() -> None:
    estimated = estimate(settings())
    assert Estimate.from_json(json.loads(json.dumps(estimated.as_json()))) == estimated


def test_the_difference_names_what_became_dearer() -> None:
    before, after = estimate(settings()), estimate(settings(publisher={"machineType": "e2-standard-4"}))
    found = changes(before, after)
    assert {one.component for one in found} == {"publisher"}
    assert sum(one.usd for one in found) == pytest.approx(after.usd - before.usd)
    assert "| publisher | machine, processors |" in changes_as_markdown(before, after)
    assert "(+48.91)" in changes_as_text(before, after)


def test_no_difference_is_said_in_one_line() -> None:
    estimated = estimate(settings())
    assert changes_as_markdown(estimated, estimated).endswith("unchanged")
    assert "\n" not in changes_as_text(estimated, estimated)


def test_what_is_new_or_gone_is_part_of_the_difference() -> None:
    full, less = estimate(settings()), estimate(settings(publisher={"enabled": False}))
    of_publisher = {one.item for one in changes(full, less) if one.component == "publisher"}
    assert of_publisher == {"machine, processors", "machine, memory", "boot disk"}
    assert all(one.before == 0 for one in changes(less, full) if one.component == "publisher")


def test_a_change_of_a_price_alone_is_a_change() -> None:
    prices = list_prices()
    dearer = replace(prices.skus["e2-vcpu"], usd=1.0)
    changed = replace(prices, skus={**prices.skus, "e2-vcpu": dearer})
    assert isinstance(dearer, Price)
    assert {one.item for one in changes(estimate(settings()), estimate(settings(), changed))} >= {"machine, processors"}
