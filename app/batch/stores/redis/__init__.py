"""The Redis store: leaderboards, counters by day and hour, unique visitors by day, the funnel.

    events ── days ──┬─ counters, visitors ──────────────> {shop}:load:RUN:* ── commit ──> {shop}:*
                     └─ boards of a day ── shares ── tops ────────^

Executors read the run's Parquet files with pyarrow. A task that has all events of a day (`days.py`) writes the day's
counters and visitors, and keeps its part of the leaderboards as a file; a task that has all days of a share of the
products (`tops.py`) adds these up and writes the top. So every value is whole when it is written: a task or a command
that runs again changes nothing, and Redis never has to add.

A run writes keys of its own, which expire; `commit` renames them over those that readers see, in one script. All names
are in `keys.py`, all reads in `shop.py`.
"""

from app.batch.stores.redis.settings import RedisSettings
from app.batch.stores.redis.shop import Shop
from app.batch.stores.redis.store import RedisStore

__all__ = ["RedisSettings", "RedisStore", "Shop"]
