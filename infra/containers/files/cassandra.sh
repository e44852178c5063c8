#!/bin/bash
# Starts Cassandra so that it asks for passwords, and gives its users their rights, at each start anew.
set -euo pipefail

folder=/etc/shop
sed -i -E '/^[[:space:]]*#/! s/AllowAll(Authenticator|Authorizer)/@\1/
           s/@Authenticator/PasswordAuthenticator/; s/@Authorizer/CassandraAuthorizer/' \
    "$CASSANDRA_CONF/cassandra.yaml"

as_admin() { cqlsh --credentials "$folder/admin" "$@"; }

# A new server has one user, of a known password, whom the administrator locks out.
first_start() { cqlsh --credentials "$folder/built-in" --file "$folder/administrator.cql"; }

give_rights() {
    until as_admin --file "$folder/users.cql" || first_start; do
        sleep 3
    done
    as_admin --file "$folder/users.cql"
}

give_rights > /tmp/users.log 2>&1 &
exec docker-entrypoint.sh cassandra -f
