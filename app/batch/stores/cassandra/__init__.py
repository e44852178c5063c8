"""The Cassandra store: a user's events by time, a session's events by time, a product's activity by day.

    event files ── visits ──────────> visits_a     or visits_b      ((user_bucket, month), user_id, started DESC, ...)
               └── sessions ────────> sessions_a      sessions_b    ((bucket), user_session, started, ...)
    a day's files ── products ──────> product_days_a  product_days_b ((product_id), day DESC)
    bad event files ────────────────> bad_events_a    bad_events_b  ((source, block), source_row)

A visit is a row with a list of events (`visits.py`). A session is found by where its visits are, so that its events are
stored once. A load fills the slot, `a` or `b`, that readers do not see, and shows it by changing one row (`state.py`).

Executors read the run's Parquet files with pyarrow, make the bytes of all rows of a file at once (`encode.py`), and
send them in batches over connections of their own (`wire.py`, `rows.py`). What is written is counted by the servers
(`held.py`). All reads are in `shop.py`.
"""

from app.batch.stores.cassandra.settings import CassandraSettings
from app.batch.stores.cassandra.shop import Shop
from app.batch.stores.cassandra.store import CassandraStore

__all__ = ["CassandraSettings", "CassandraStore", "Shop"]
