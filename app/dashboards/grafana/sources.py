"""The data sources of the dashboards, and queries to them as Grafana's plugins take them."""

from dataclasses import dataclass
from typing import Any, Final, Self

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import DataSourceRef


@dataclass(frozen=True)
class Source:
    """A data source: its name, which also names the variable that chooses it, and its plugin."""

    name: str
    plugin: str

    @property
    def uid(self) -> str:
        """The id of the one that is provisioned."""
        return f"shop-{self.name.lower()}"

    @property
    def variable(self) -> str:
        """The variable of a dashboard by which another of the same plugin can be chosen."""
        return f"{self.name.lower()}_datasource"

    @property
    def ref(self) -> DataSourceRef:
        """How panels and variables name it."""
        return DataSourceRef(type_val=self.plugin, uid=f"${{{self.variable}}}")


MYSQL: Final = Source("Mysql", "mysql")
REDIS: Final = Source("Redis", "redis-datasource")
CASSANDRA: Final = Source("Cassandra", "hadesarchitect-cassandra-datasource")

KEYSPACE: Final = "shop"
"""Of Cassandra, and the prefix of the keys in Redis."""


@dataclass(frozen=True)
class Query(Dataquery, Builder["Query"]):
    """A query of a panel: the fields that the plugin of its source knows."""

    source: Source
    fields: dict[str, Any]

    def build(self) -> Self:
        """It is built already."""
        return self

    def to_json(self) -> dict[str, Any]:
        """The query as it stands in a dashboard."""
        return {"refId": "A", "datasource": self.source.ref, **self.fields}


def mysql(sql: str, *, time_series: bool = False) -> Query:
    """SQL for MySQL. A time series has a column `time` first, then one number a series, in the order of time."""
    return Query(
        MYSQL,
        {
            "rawSql": sql.strip(),
            "rawQuery": True,
            "editorMode": "code",
            "format": "time_series" if time_series else "table",
        },
    )


def redis_top(board: str, measure: str, count: int) -> Query:
    """The first names of a leaderboard, highest first: a field for each, its value the score."""
    return Query(
        REDIS,
        {
            "type": "command",
            "command": "zrange",
            "keyName": f"{{{KEYSPACE}}}:top:{board}:{measure}",
            "min": "0",
            "max": str(count - 1),
            "zrangeQuery": "REV",
        },
    )


def redis_hash(name: str) -> Query:
    """All of a hash: the columns Field and Value, both text."""
    return Query(REDIS, {"type": "command", "command": "hgetall", "keyName": f"{{{KEYSPACE}}}:{name}"})


def cassandra(cql: str) -> Query:
    """CQL for Cassandra. Rows of equal first column are one table."""
    return Query(
        CASSANDRA,
        {"queryType": "query", "rawQuery": True, "target": " ".join(cql.split()), "alias": "", "filtering": False},
    )
