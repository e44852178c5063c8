"""All settings of an environment together, and what must hold between sections."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from infra.place import Place
from infra.settings.batch import BatchSettings
from infra.settings.ci import CiSettings
from infra.settings.costs import CostSettings
from infra.settings.declaration import PROJECT, Problem, SettingsError, read_section, unknown
from infra.settings.events import EventsSettings
from infra.settings.forms import ENVIRONMENT, PROJECT_ID, REGION, ZONE
from infra.settings.messages import MessageSettings
from infra.settings.network import NetworkSettings
from infra.settings.operations import OperationsSettings
from infra.settings.publisher import PublisherSettings
from infra.settings.rules import Rule, optional
from infra.settings.security import SecuritySettings
from infra.settings.storage import StorageSettings
from infra.settings.stream import StreamSettings
from infra.settings.warehouse import WarehouseSettings


@dataclass(frozen=True)
class Settings:
    """The settings of an environment; each field but the place is a section of `Pulumi.<environment>.yaml`."""

    place: Place
    events: EventsSettings
    stream: StreamSettings
    batch: BatchSettings
    messages: MessageSettings
    publisher: PublisherSettings
    warehouse: WarehouseSettings
    storage: StorageSettings
    network: NetworkSettings
    security: SecuritySettings
    operations: OperationsSettings
    ci: CiSettings
    costs: CostSettings

    @property
    def on_google_cloud(self) -> bool:
        """Whether anything is in Google Cloud, so that a project and a region are needed."""
        return self.stream.enabled or self.batch.on_google_cloud


def sections() -> dict[str, type[Any]]:
    """The sections by name."""
    kinds = get_type_hints(Settings)
    return {field.name: kinds[field.name] for field in dataclasses.fields(Settings) if field.name != "place"}


def load(config: Mapping[str, Any], environment: str) -> Settings:
    """Read the settings from Pulumi's configuration, by full key such as `gcp:project`.

    Raises:
        SettingsError: some are not valid; it names them all.
    """
    problems: list[Problem] = []
    read = {
        name: read_section(kind, name, config.get(f"{PROJECT}:{name}"), problems) for name, kind in sections().items()
    }
    keys = [f"{PROJECT}:{name}" for name in read]
    problems += [
        unknown(key, _plain(config[key]), keys) for key in config if key.startswith(f"{PROJECT}:") and key not in keys
    ]
    settings = Settings(place=_place(config, environment), **read)
    problems += _problems_between(settings, config)
    if problems:
        raise SettingsError(problems)
    return settings


def _place(config: Mapping[str, Any], environment: str) -> Place:
    project, region = (str(config.get(f"gcp:{name}", "")) for name in ("project", "region"))
    return Place(environment, project, region, zone=str(config.get("gcp:zone") or f"{region}-b"))


def _problems_between(settings: Settings, config: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _place_problems(settings, config)
    for name in sections():
        section = getattr(settings, name)
        if hasattr(section, "problems"):
            yield from section.problems(f"{PROJECT}:{name}")


def _place_problems(settings: Settings, config: Mapping[str, Any]) -> Iterator[Problem]:
    place = settings.place
    yield from _misfit("the stack", place.environment, ENVIRONMENT, example="")
    if not settings.on_google_cloud:
        return
    yield from _misfit("gcp:project", config.get("gcp:project"), PROJECT_ID)
    yield from _misfit("gcp:region", config.get("gcp:region"), REGION)
    yield from _misfit("gcp:zone", config.get("gcp:zone", ""), optional(ZONE))
    if not place.zone.startswith(f"{place.region}-"):
        yield Problem("gcp:zone", place.zone, f"a zone of the region {place.region}", f"{place.region}-b")
    yield from _location_problems(settings)
    prefix = settings.storage.bucket_prefix or place.project
    if ":" in prefix or "google" in prefix or prefix.startswith("goog"):
        key = f"{PROJECT}:storage.bucketPrefix"
        yield Problem(
            key, settings.storage.bucket_prefix, "a prefix, since buckets cannot be named after this project", "shop"
        )


def _location_problems(settings: Settings) -> Iterator[Problem]:
    """Say what is not where it has to be: a subnetwork in the region, and with a key all data where the key is."""
    region = settings.place.region
    subnetwork = settings.network.existing_subnetwork
    if subnetwork and f"/regions/{region}/" not in subnetwork:
        yield Problem(f"{PROJECT}:network.existingSubnetwork", subnetwork, f"a subnetwork of the region {region}", "")
    key = settings.security.kms_key
    if not key:
        return
    if f"/locations/{region}/" not in key:
        yield Problem(f"{PROJECT}:security.kmsKey", key, f"a key in {region}, where the data is", "")
    for section, location in (("storage", settings.storage.location), ("warehouse", settings.warehouse.location)):
        if location and location != region:
            yield Problem(f"{PROJECT}:{section}.location", location, f"{region}, where the key is", region)


def _misfit(key: str, value: Any, rule: Rule, example: str | None = None) -> Iterator[Problem]:
    try:
        rule.read(value)
    except (ValueError, TypeError):
        yield Problem(key, value, rule.allowed, rule.example if example is None else example)


def _plain(text: Any) -> Any:
    try:
        return json.loads(text)
    except (ValueError, TypeError):
        return text
