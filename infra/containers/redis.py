"""Redis: leaderboards and counters."""

import hashlib
from typing import Final

import pulumi

from infra.containers import SHOP_FOLDER
from infra.containers.images import REDIS
from infra.containers.spec import File, HealthCheck, Spec
from infra.passwords import Passwords

PORT: Final = 6379
LOADER, READER = "loader", "grafana"
_USER: Final = "999:999"
_KEYS: Final = "resetchannels ~{shop}:*"
_SCRIPTS: Final = "+eval +evalsha +script|load"
_SHARE_OF_MEMORY: Final = 0.7
"""The rest is for the copy of changed pages while it saves."""


def redis(passwords: Passwords, memory_mb: int) -> Spec:
    """A server whose users are told apart. Without a password one can only ask whether it is there."""
    users = [passwords[f"redis-{user}"] for user in (LOADER, READER)]
    return Spec(
        role="redis",
        image=REDIS,
        user=_USER,
        memory_mb=memory_mb,
        port=PORT,
        data_path="/data",
        command=["redis-server", f"{SHOP_FOLDER}/redis.conf"],
        files=[
            File(f"{SHOP_FOLDER}/redis.conf", _configuration(int(memory_mb * _SHARE_OF_MEMORY))),
            File(
                f"{SHOP_FOLDER}/users.acl",
                pulumi.Output.all(*users).apply(lambda given: _users(*given)),
                is_secret=True,
            ),
        ],
        health=HealthCheck(("CMD-SHELL", "redis-cli ping | grep -q PONG"), start_seconds=60),
    )


def _configuration(memory_mb: int) -> str:
    return "\n".join(
        (
            f"port {PORT}",
            "dir /data",
            f"aclfile {SHOP_FOLDER}/users.acl",
            # The default user may come from anywhere, as it may do nothing.
            "protected-mode no",
            f"maxmemory {memory_mb}mb",
            # What does not fit is refused, and the job says so; nothing is thrown out in silence.
            "maxmemory-policy noeviction",
            # A load that was shown is still there after a crash of the machine, but for the last seconds. A log of
            # writes would be nearer, but a server that is told to keep one begins empty where there is none yet.
            "save 10 1",
            "appendonly no",
            "",
        )
    )


def _users(loader: str, reader: str) -> str:
    """The access list, which has hashes of the passwords."""
    return "\n".join(
        (
            "user default on nopass resetkeys resetchannels -@all +ping",
            f"user {LOADER} on #{_hash(loader)} {_KEYS} -@all +@read +@write +@connection {_SCRIPTS} -@dangerous",
            f"user {READER} on #{_hash(reader)} {_KEYS} -@all +@read +@connection -@dangerous",
            "",
        )
    )


def _hash(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()
