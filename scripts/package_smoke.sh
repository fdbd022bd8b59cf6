#!/bin/bash
# Usage: scripts/package_smoke.sh DIRECTORY     (root, in a system where it may install packages)
# Installs the Debian package in DIRECTORY with what it depends on and uses it: a cluster,
# CREATE EXTENSION, a TVIEW that follows its source, and the removal of the package.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
package=$(echo "$1"/*.deb)
major=$(dpkg-deb -f "$package" Package | tr -dc 0-9)
apt-get update -q
apt-get install -q -y --no-install-recommends "$package"
dpkg-deb --info "$package"
dpkg-deb --contents "$package"

bin=/usr/lib/postgresql/$major/bin
data=$(mktemp -d)
chown postgres: "$data"
as_postgres() { (cd / && exec runuser -u postgres -- "$@"); }
as_postgres "$bin/initdb" -D "$data/cluster" -A trust >/dev/null
cat >>"$data/cluster/postgresql.conf" <<CONF
shared_preload_libraries = 'pg_tviews'
listen_addresses = ''
unix_socket_directories = '$data'
CONF
trap 'as_postgres "$bin/pg_ctl" -D "$data/cluster" -m immediate stop >/dev/null 2>&1 || true; cat "$data/log"' EXIT
as_postgres "$bin/pg_ctl" -D "$data/cluster" -l "$data/log" -w start >/dev/null
as_postgres psql -X -h "$data" -At -v ON_ERROR_STOP=1 <"$(dirname "$0")/smoke.sql"
as_postgres "$bin/pg_ctl" -D "$data/cluster" -w stop >/dev/null
apt-get remove -q -y "$(dpkg-deb -f "$package" Package)"
[ ! -e "/usr/lib/postgresql/$major/lib/pg_tviews.so" ]
echo "the package works"
