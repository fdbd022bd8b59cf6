#!/bin/bash
# Usage: scripts/image_test.sh [docker] [cloudnativepg]     (root; needs debootstrap; ten minutes each)
# Builds the images of Dockerfile and docker/cloudnativepg.Dockerfile by buildah, which needs no daemon, and
# uses them: a new cluster, the extension, a TVIEW that follows its source. The official images cannot be
# had everywhere: BASE is made of Debian 13 (PostgreSQL 17) and unstable (18), as scripts/in_chroot.sh has
# them; it lacks the official image's entrypoint. OFFICIAL=1 pulls the official ones.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || fail "only root can make chroots"
logs=$ROOT/build/images
mkdir -p "$logs"
apt_install "$logs/apt.log" buildah debootstrap
# Storage of our own, removed at the end: no other image of this machine is touched.
store=$(mktemp -d /var/tmp/pg_tviews-images.XXXXXX)
buildah() { command buildah --root "$store/root" --runroot "$store/run" --storage-driver "${STORAGE_DRIVER:-overlay}" "$@"; }
finish() {
  buildah umount --all >/dev/null 2>&1 || true
  buildah rm --all >/dev/null 2>&1 || true
  umount -l "$store/root/overlay" 2>/dev/null || true
  rm -rf --one-file-system "$store"
}
trap finish EXIT

# Only what a server needs, as in the official image: what the Dockerfile does not install is missing.
make_base() { # SUITE MAJOR
  local container root
  CLEAN=1 "$ROOT/scripts/in_chroot.sh" "$1" true
  container=$(buildah from scratch)
  root=$(buildah mount "$container")
  cp -a "${CHROOTS:-/var/tmp/pg_tviews-chroots}/$1-base/." "$root" # made by the line above
  buildah run --isolation chroot "$container" sh -ec "
    mkdir -p /etc/postgresql-common/createcluster.d
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/image.conf
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends postgresql-$2"
  buildah config --env "PG_MAJOR=$2" --env DEBIAN_FRONTEND=noninteractive \
    --env "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/$2/bin" "$container"
  buildah umount "$container"
  buildah commit --rm "$container" "localhost/base:$2"
}

build_image() { # DOCKERFILE MAJOR SUITE
  local base=postgres:$2-trixie
  if [ -z "${OFFICIAL:-}" ]; then
    make_base "$3" "$2"
    base=localhost/base:$2
  fi
  buildah build --isolation chroot --pull=missing --build-arg BASE="$base" --tag "localhost/tviews:$2" -f "$ROOT/$1" "$ROOT"
}

# Starts a server of the image as its user, with a new cluster, and runs what a new user would.
run_server() { # CONTAINER SETTINGS SCRIPT
  buildah run --isolation chroot --user postgres "$1" bash -ec '
    data=$(mktemp -d /tmp/server.XXXX)
    initdb -D "$data/cluster" -A trust >/dev/null
    printf "listen_addresses = \x27\x27\nunix_socket_directories = \x27%s\x27\n%s\n" "$data" "$1" >>"$data/cluster/postgresql.conf"
    trap "pg_ctl -D $data/cluster -m immediate stop >/dev/null || true; cat $data/log" EXIT
    pg_ctl -D "$data/cluster" -l "$data/log" -w start >/dev/null
    export PGHOST=$data PGDATABASE=postgres
    '"$3"'
    createdb smoke
    psql -X -v ON_ERROR_STOP=1 -d smoke -f /tmp/smoke.sql' bash "$2"
}

test_docker() {
  local container
  build_image Dockerfile 17 trixie
  container=$(buildah from localhost/tviews:17)
  buildah copy --chmod 644 "$container" "$ROOT/scripts/smoke.sql" /tmp/smoke.sql
  run_server "$container" '' \
    'for script in /docker-entrypoint-initdb.d/*.sql; do psql -X -v ON_ERROR_STOP=1 -f "$script"; done'
}

# The operator mounts the image in /extensions/NAME and sets these two.
test_cloudnativepg() {
  local container extension root
  build_image docker/cloudnativepg.Dockerfile 18 sid
  extension=$(buildah from localhost/tviews:18)
  root=$(buildah mount "$extension")
  (cd "$root" && find . -type f | sort | tee "$logs/cloudnativepg.files")
  ! grep -vE '^\./(LICENSE|lib/pg_tviews\.so|share/extension/pg_tviews(--[0-9.-]+\.sql|\.control))$' "$logs/cloudnativepg.files" ||
    fail "the image has more than lib and share"
  container=$(buildah from localhost/base:18)
  buildah copy "$container" "$root" /extensions/pg_tviews
  buildah copy --chmod 644 "$container" "$ROOT/scripts/smoke.sql" /tmp/smoke.sql
  run_server "$container" "shared_preload_libraries = 'pg_tviews'
extension_control_path = '\$system:/extensions/pg_tviews/share'
dynamic_library_path = '\$libdir:/extensions/pg_tviews/lib'" '[ ! -e "/usr/lib/postgresql/18/lib/pg_tviews.so" ]'
}

status=0
[ $# -gt 0 ] || set -- docker cloudnativepg
for image in "$@"; do
  case $image in docker | cloudnativepg) ;; *) fail "usage: image_test.sh [docker] [cloudnativepg]" ;; esac
  log=$logs/$image.log
  # In the background, because a function in a condition goes on after a failed command.
  "test_$image" >"$log" 2>&1 </dev/null &
  if wait $!; then
    printf 'test image_%-22s ... ok\n' "$image"
  else
    printf 'test image_%-22s ... FAILED  %s\n' "$image" "$log"
    tail -n 40 "$log"
    status=1
  fi
done
exit $status
