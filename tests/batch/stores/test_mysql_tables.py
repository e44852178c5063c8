"""The tables' definitions, read as MySQL's own SQL, and the users' rights."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlglot
from sqlglot import expressions as sql

from app.analytics import QUESTIONS
from app.batch.stores.mysql.grants import User, grants_sql
from app.batch.stores.mysql.tables import TABLES, collation_of

MARIADB_ALONE = ("nopad", "INVISIBLE", "RETURNING", "IF NOT EXISTS `", "SEQUENCE", "UUID")


def test_every_question_has_a_table_with_its_columns() -> None:
    for name, question in QUESTIONS.items():
        assert TABLES[name].schema.names == question.schema.names


@pytest.mark.parametrize("name", TABLES)
def test_a_definition_is_mysqls(name: str) -> None:
    table = TABLES[name]
    statement = table.create(f"`shop`.`{name}`", collation_of("8.4.3"))
    assert not [word for word in MARIADB_ALONE if word in statement]
    parsed = sqlglot.parse_one(statement, dialect="mysql", error_level=sqlglot.ErrorLevel.RAISE)
    assert isinstance(parsed, sql.Create)
    assert [column.name for column in parsed.find_all(sql.ColumnDef)] == table.schema.names


def test_money_stays_decimal_and_text_may_be_as_long_as_a_row() -> None:
    statement = TABLES["top_brands"].create("t", "c")
    assert "`revenue` DECIMAL(38,2)" in statement
    assert "`brand` TEXT" in statement


def test_the_collation_is_that_which_each_server_has() -> None:
    assert collation_of("10.11.19-MariaDB-0+deb12u1") == "utf8mb4_nopad_bin"
    assert collation_of("8.4.3") == collation_of("8.0.17-debug") == collation_of("10.0.0") == "utf8mb4_0900_bin"
    assert collation_of("8.0.15") == "utf8mb4_0900_as_cs"


def test_grants_are_of_two_users_with_few_rights() -> None:
    statements = grants_sql(User("loader", "it's \\ a `secret`"), User("grafana", "other"), database="my_shop")
    granted = [statement for statement in statements if statement.startswith("GRANT")]
    assert granted == [
        r"GRANT SELECT, INSERT, DELETE, CREATE, ALTER, DROP ON `my\_shop`.* TO 'loader'@'%'",
        r"GRANT SELECT, INSERT, DELETE, CREATE, ALTER, DROP ON `my\_shop\_staging`.* TO 'loader'@'%'",
        r"GRANT SELECT ON `my\_shop`.* TO 'grafana'@'%'",
    ]
    assert "ALTER USER 'loader'@'%' IDENTIFIED BY 'it''s \\\\ a `secret`' REQUIRE NONE" in statements
    assert "secret" not in repr(User("loader", "secret"))


def test_the_grants_of_a_server_are_printed_with_passwords_from_the_environment() -> None:
    command = [sys.executable, "-m", "app.batch.stores.mysql.grants"]
    root = Path(__file__).parents[3]
    plain = {name: value for name, value in os.environ.items() if "MYSQL" not in name}
    given = {"MYSQL_PASSWORD": "one", "GRAFANA_MYSQL_PASSWORD": "two", "MYSQL_TLS_CA": "ca.pem"}
    printed = subprocess.run(command, cwd=root, env=plain | given, capture_output=True, text=True, check=True).stdout
    assert "ALTER USER 'loader'@'%' IDENTIFIED BY 'one' REQUIRE SSL;\n" in printed
    assert "ALTER USER 'grafana'@'%' IDENTIFIED BY 'two' REQUIRE SSL;\n" in printed
    refused = subprocess.run(command, cwd=root, env=plain, capture_output=True, text=True)
    assert refused.returncode == 2
    assert "MYSQL_PASSWORD and GRAFANA_MYSQL_PASSWORD" in refused.stderr
