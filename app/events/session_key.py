"""The key of a session: the site's name for it, or the visitor where that is missing.

A name that reads like the key of a visitor, `user:5`, is marked as a name, `user::user:5`, so that no two sessions
share a key. `app.analytics.facts.session_key` is the same in SQL.
"""

from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

OF_USER: Final = "user:"
"""Begins the key of a session without a name, before the id of its visitor."""
OF_NAME: Final = "user::"
"""Begins the key of a session whose name begins with `OF_USER`."""


def session_keys(user_session: Any, user_id: Any) -> Any:
    """The key of the session of each event, from two arrays or chunked arrays."""
    keys = user_session
    is_like_user = pc.starts_with(keys, OF_USER)
    if pc.any(is_like_user).as_py():
        keys = pc.if_else(is_like_user, pc.binary_join_element_wise(OF_NAME, keys, ""), keys)
    if keys.null_count:
        keys = pc.coalesce(keys, pc.binary_join_element_wise(OF_USER, pc.cast(user_id, pa.string()), ""))
    return keys
