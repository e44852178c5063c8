"""The images of others that run here, each by its version and, since a tag can be moved, by its digest.

To update one, take the new tag's digest of its index, which is the same on every kind of machine:

    docker buildx imagetools inspect --format '{{json .Manifest.Digest}}' mysql:8.4.10

and write both here. `pulumi up` then pulls it and makes the container anew; its data stays.
"""

from typing import Final

CASSANDRA: Final = "cassandra:5.0.9@sha256:d35e159439b302146f964919904f84fd3c2cebf347272b8cb8c4368c1cf200e5"
REDIS: Final = "redis:7.4.11-bookworm@sha256:c6eabf748fc7a61dbb5a705c78bcf3d6377b1127a97d0ce965c11c44ba46896f"
MYSQL: Final = "mysql:8.4.10@sha256:8dbcf531a03aade657e181b9cf2f1d1803ce621a1d55610cb44cb531ab7d7db6"
GRAFANA: Final = "grafana/grafana:12.4.0@sha256:b0ae311af06228bcfd4a620504b653db80f5b91e94dc3dc2a5b7dab202bcde20"

GRAFANA_PLUGINS: Final = ("redis-datasource@2.2.0", "hadesarchitect-cassandra-datasource@3.2.0")
"""Grafana's plugins for the stores that it cannot read by itself."""
