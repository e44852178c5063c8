"""A dashboard as a list of sections, and its JSON."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from grafana_foundation_sdk.builders.dashboard import Dashboard as DashboardBuilder
from grafana_foundation_sdk.builders.dashboard import DashboardLink, QueryVariable, Row
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DashboardLinkType

from app.dashboards.grafana.sources import Source
from app.dashboards.grafana.variables import chooses

TAG: Final = "shop"


@dataclass(frozen=True)
class Period:
    """What a dashboard shows when it is opened, unless its address says otherwise."""

    first: datetime
    last: datetime

    def __post_init__(self) -> None:
        """Raise ValueError where a time has no zone or nothing lies between them."""
        if self.first.tzinfo is None or self.last.tzinfo is None or self.first >= self.last:
            raise ValueError(f"a period needs two times with a zone, the later one last, not {self.first}, {self.last}")


PUBLIC_DATA: Final = Period(datetime(2019, 10, 1, tzinfo=UTC), datetime(2019, 12, 1, tzinfo=UTC))
"""October and November 2019, the months of the public data set."""


@dataclass(frozen=True)
class Section:
    """A row of Grafana's: its title, the height of its panels, and these with their width of 24."""

    title: str
    height: int
    panels: tuple[tuple[int, Any], ...]


@dataclass(frozen=True)
class Dashboard:
    """A dashboard before it is JSON."""

    uid: str
    title: str
    description: str
    sources: tuple[Source, ...]
    variables: tuple[QueryVariable, ...]
    sections: tuple[Section, ...]

    def json(self, period: Period) -> str:
        """Give it as Grafana reads it; the same each time."""
        builder = (
            DashboardBuilder(self.title)
            .uid(self.uid)
            .description(self.description)
            .tags([TAG])
            .timezone("utc")
            .time(_time(period.first), _time(period.last))
            .tooltip(DashboardCursorSync.CROSSHAIR)
            .readonly()
            .link(
                DashboardLink("Dashboards of the shop")
                .type(DashboardLinkType.DASHBOARDS)
                .tags([TAG])
                .as_dropdown(False)
                .include_vars(True)
                .keep_time(True)
            )
        )
        for variable in (*map(chooses, self.sources), *self.variables):
            builder = builder.with_variable(variable)
        number = 0
        for section in self.sections:
            number += 1
            builder = builder.with_row(Row(section.title).id(number))
            for width, panel in section.panels:
                number += 1
                builder = builder.with_panel(panel.id(number).span(width).height(section.height))
        return json.dumps(builder.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
