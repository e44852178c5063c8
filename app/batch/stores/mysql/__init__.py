"""The MySQL store: one table for each question's answer, events by hour for Grafana, ledgers and runs.

    staging database                        database
    ────────────────                        ────────
    tables of the run  ── RENAME TABLE ──>  tables that readers see      all of them in one statement
    tables of the run before  <───────────

A run fills new tables, from Spark's executors by LOAD DATA, and swaps them in at its end, so that a reader sees the run
before or the run after, whole. `tables.py` says what each table holds. Works on MySQL 8 and on MariaDB.
"""

from app.batch.stores.mysql.settings import MysqlSettings
from app.batch.stores.mysql.store import MysqlStore

__all__ = ["MysqlSettings", "MysqlStore"]
