#!/bin/bash
# Starts Cassandra so that it asks for passwords and takes the job's batches, and gives its users their rights, at each
# start anew.
set -euo pipefail

folder=/etc/shop
settings="$CASSANDRA_CONF/cassandra.yaml"

sed -i -E '/^[[:space:]]*#/! s/AllowAll(Authenticator|Authorizer)/@\1/
           s/@Authenticator/PasswordAuthenticator/; s/@Authorizer/CassandraAuthorizer/' "$settings"
while IFS= read -r line; do
    sed -i "/^${line%%:*}:/d" "$settings"
    printf '%s\n' "$line" >> "$settings"
done < "$folder/settings"

as_admin() { cqlsh --credentials "$folder/admin" "$@"; }

# A new server has one user, of a known password, whom the administrator locks out.
first_start() { cqlsh --credentials "$folder/built-in" --file "$folder/administrator.cql"; }

give_rights() {
    until as_admin --file "$folder/users.cql"; do
        first_start || true
        sleep 3
    done
}

give_rights > /tmp/users.log 2>&1 &
exec docker-entrypoint.sh cassandra -f
