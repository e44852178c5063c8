#!/bin/bash
# Starts Cassandra so that it asks for passwords and takes the job's batches, and gives its users their rights, at each
# start anew.
set -euo pipefail

folder=/etc/shop
settings="$CASSANDRA_CONF/cassandra.yaml"
is_closed=/var/lib/cassandra/built-in-user-is-closed

sed -i -E '/^[[:space:]]*#/! s/AllowAll(Authenticator|Authorizer)/@\1/
           s/@Authenticator/PasswordAuthenticator/; s/@Authorizer/CassandraAuthorizer/' "$settings"
while IFS= read -r line; do
    sed -i "/^${line%%:*}:/d" "$settings"
    printf '%s\n' "$line" >> "$settings"
done < "$folder/settings"

as_admin() { cqlsh --credentials "$folder/admin" "$@"; }

# A new server has one user, of a known password, whom the administrator locks out.
first_start() { cqlsh --credentials "$folder/built-in" --file "$folder/administrator.cql"; }

# Ends with 1 where the server has ended.
give_rights() {
    until as_admin --file "$folder/users.cql"; do
        first_start || true
        kill -0 "$1" || return 1
        sleep 3
    done
}

# As long as the known password opens it, a server answers to its own machine alone.
if [[ ! -e $is_closed ]]; then
    CASSANDRA_RPC_ADDRESS=127.0.0.1 docker-entrypoint.sh cassandra -f &
    server=$!
    trap 'kill "$server"; exit 143' TERM
    give_rights "$server" > /tmp/users.log 2>&1
    kill "$server"
    wait "$server" || true
    trap - TERM
    touch "$is_closed"
fi

give_rights $$ > /tmp/users.log 2>&1 &
exec docker-entrypoint.sh cassandra -f
