"""Where the live sources are: the BigQuery dataset that has a view for each question, and how Tableau signs in."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from app.dashboards.tableau.identity import connection_name
from app.dashboards.tableau.markup import Element, element

SignIn = Literal["oauth", "service-account"]

PROJECT_TO_TYPE: Final = "your-project-id"
"""Stands for the project's id where none is known: the one thing that is left to type in Tableau."""

_NAME: Final = re.compile(
    r"(?P<project>(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9])\.(?P<dataset>\w{1,1024})", re.ASCII
)
_SCOPES: Final = " ".join(
    f"https://www.googleapis.com/auth/{scope}" for scope in ("bigquery", "userinfo.profile", "userinfo.email")
)


class WarehouseError(ValueError):
    """A dataset's name is not one."""


@dataclass(frozen=True)
class Warehouse:
    """A BigQuery dataset. `billing_project` pays for the queries, `project` itself where it is empty."""

    project: str = PROJECT_TO_TYPE
    dataset: str = "shop"
    billing_project: str = ""
    sign_in: SignIn = "oauth"

    @classmethod
    def named(cls, name: str, *, billing_project: str = "", sign_in: SignIn = "oauth") -> "Warehouse":
        """Read `project.dataset`. Raises WarehouseError for anything else."""
        match = _NAME.fullmatch(name)
        if match is None:
            raise WarehouseError(f"dataset {name!r}: must be PROJECT.DATASET, for example my-project.shop")
        return cls(match["project"], match["dataset"], billing_project, sign_in)

    @property
    def connection(self) -> str:
        """Tableau's internal name of the connection."""
        return connection_name("bigquery", "warehouse")

    def relation(self, view: str) -> Element:
        """The view of a question as a table of the connection."""
        return element(
            "relation",
            {"connection": self.connection, "name": view, "table": f"[{self.dataset}].[{view}]", "type": "table"},
        )

    def named_connection(self, view: str) -> Element:
        """The connection to BigQuery, standard SQL. It holds no credentials: Tableau asks for them."""
        attributes = {
            "CATALOG": self.project,
            "EXECCATALOG": self.billing_project or self.project,
            "REDIRECT_URI": "urn:ietf:wg:oauth:2.0:oob",
            "SCOPE": _SCOPES,
            "authentication": self.sign_in,
            "bq_schema": self.dataset,
            "class": "bigquery",
            "connection-dialect": "google-sql",
            "connection-protocol": "native-api",
            "login_title": "Sign in to Google BigQuery",
            "odbc-connect-string-extras": "",
            "one-time-sql": "",
            "project": self.project,
            "schema": self.dataset,
            "server": "googleapis.com/bigquery",
            "server-oauth": "",
            "table": view,
            "username": "",
            "workgroup-auth-mode": "prompt",
        }
        return element(
            "named-connection",
            {"caption": f"{self.project}.{self.dataset}", "name": self.connection},
            [element("connection", attributes)],
        )
