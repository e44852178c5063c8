"""Showing a run: its keys take the place of those that readers see, in one script."""

from collections.abc import Collection
from typing import Final

from app.batch.errors import StoreError
from app.batch.stores.redis import keys
from app.batch.stores.redis.connection import Connection
from app.batch.stores.redis.keys import Keys
from app.batch.stores.redis.settings import RedisSettings

# KEYS: the lock, the run that is shown, what was staged, the run first, then as many keys that it goes to, and what
# goes away. ARGV: the run, how much was staged, and when the run was written, which was last: a server that has it has
# all. Everything is checked before anything is changed, since Redis takes nothing back. Asked again after an answer
# that was lost, the script finds the run shown.
_SCRIPT: Final = """
if redis.call('HGET', KEYS[2], 'id') == ARGV[1] then return 'shown' end
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return KEYS[1] end
if redis.call('HGET', KEYS[3], 'finished_at') ~= ARGV[3] then return KEYS[3] end
local staged = tonumber(ARGV[2])
for i = 3, staged + 2 do
    if redis.call('EXISTS', KEYS[i]) == 0 then return KEYS[i] end
end
for i = 3, staged + 2 do
    redis.call('UNLINK', KEYS[i + staged])
    redis.call('RENAME', KEYS[i], KEYS[i + staged])
    redis.call('PERSIST', KEYS[i + staged])
end
for i = 2 * staged + 3, #KEYS do redis.call('UNLINK', KEYS[i]) end
return 'shown'
"""


def show(connection: Connection, settings: RedisSettings, run: str, names: Collection[str], finished_at: str) -> None:
    """Rename a run's keys to those that readers see; what was there and is not in the run goes away.

    Args:
        connection: to the server, with answers as text.
        settings: the prefix of the keys.
        run: the run's id.
        names: of all keys that the run wrote.
        finished_at: what the run's own key says of that, which was written last.

    Raises:
        StoreError: the server does not answer, or has lost something of the run. Nothing is changed then.
    """
    at = Keys(settings.prefix)
    (before,) = connection.send([("SMEMBERS", at.shown(keys.KEYS))])
    staged = [keys.RUN, *sorted({*names, keys.KEYS} - {keys.RUN})]
    touched = [
        at.lock,
        at.shown(keys.RUN),
        *(at.staged(run, name) for name in staged),
        *(at.shown(name) for name in staged),
        *(at.shown(name) for name in sorted(set(before) - set(staged))),
    ]
    (said,) = connection.send([("EVAL", _SCRIPT, len(touched), *touched, run, len(staged), finished_at)])
    if said != "shown":
        raise StoreError(
            f"Redis at {settings.address} has lost {said}, as after a restart without its data or when the run stood "
            "still for long; run the job again. What it showed before is as it was, if it has that"
        )
    connection.send([("SREM", at.loads, run)])
