#!/bin/bash
# Starts MySQL. Its users get their passwords and rights at each start anew; at the first one the image does that, as
# an empty server takes no accounts from --init-file.
set -euo pipefail

if [[ -d /var/lib/mysql/mysql ]]; then
    set -- "$@" --init-file=/docker-entrypoint-initdb.d/users.sql
fi
exec docker-entrypoint.sh mysqld "$@"
