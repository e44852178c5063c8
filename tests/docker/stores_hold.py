"""Run in a container of the job's image, which names the stores: prints what their servers hold, as JSON."""

import json
import os
import sys

from app.analytics import QUESTIONS
from app.batch.stores.cassandra import CassandraSettings
from app.batch.stores.cassandra import Shop as CassandraShop
from app.batch.stores.mysql.server import connect, quoted, run
from app.batch.stores.mysql.settings import MysqlSettings
from app.batch.stores.redis import Shop as RedisShop

with RedisShop.from_environment() as redis:
    days = {str(day): events for day, events in redis.days().items()}
    bad = sum(redis.bad_events().values())
with CassandraShop(CassandraSettings.from_environment()) as cassandra:
    shown = cassandra.run()
    user = cassandra.events_of_user(int(sys.argv[1]))
mysql = MysqlSettings.from_environment(os.environ)
connection = connect(mysql)
connection.select_db(mysql.database)
types = run(connection, "SELECT event_type, sum(events) FROM activity GROUP BY event_type")
answers = {name: run(connection, f"SELECT count(*) FROM {quoted(name)}")[0][0] for name in QUESTIONS}
connection.close()
print(
    json.dumps(
        {
            "redis": {"days": days, "bad": bad},
            "cassandra": {"stored": shown.stored, "bad": shown.bad, "user": user.num_rows},
            "mysql": {"types": {name: int(events) for name, events in types}, "answers": answers},
        }
    )
)
