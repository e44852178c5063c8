"""How users are cut into partitions of Cassandra.

Apart from the store, so that who only asks it needs none of its packages.
"""

from typing import Final

USER_BUCKETS: Final = 4096
"""A user's visits of a month are in the partition `user_id % USER_BUCKETS`: for a month of 68 million events it has
16,000 in 2 MB, of which a read takes the user's."""
