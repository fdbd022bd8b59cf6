#!/bin/bash
# Usage: scripts/package_smoke.sh DIRECTORY deb|rpm     (root, in a Debian where it may install packages)
# Installs the package in DIRECTORY and uses it: a cluster, CREATE EXTENSION, a TVIEW that follows its
# source, and the removal of the package. A Debian package brings what it depends on. What an RPM asks
# for has names of other distributions, so the server is installed by hand, and nothing else.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
format=$2
package=$(echo "$1"/*."$format")
apt-get update -q
if [ "$format" = deb ]; then
  name=$(dpkg-deb -f "$package" Package)
  major=$(tr -dc 0-9 <<<"$name")
  apt-get install -q -y --no-install-recommends "$package"
  dpkg-deb --info "$package"
  dpkg-deb --contents "$package"
else
  apt-get install -q -y --no-install-recommends rpm
  name=$(rpm -qp --qf '%{NAME}' "$package")
  major=$(tr -dc 0-9 <<<"$name")
  apt-get install -q -y --no-install-recommends "postgresql-$major"
  rpm -qpil "$package"
  rpm -qpR "$package"
  [ -z "$(rpm -qp --configfiles "$package")" ]
  [ -z "$(rpm -qpR "$package" | grep -E 'absl|protobuf')" ]
  rpm -i --nodeps "$package"
fi

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
if [ "$format" = deb ]; then apt-get remove -q -y "$name"; else rpm -e "$name"; fi
[ ! -e "/usr/lib/postgresql/$major/lib/pg_tviews.so" ]
echo "the package works"
