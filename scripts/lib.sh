# Common functions of the scripts: sourced, never run. Works as root (the server then runs as user
# postgres, because PostgreSQL refuses to run as root) or as an ordinary user with sudo for apt.
#
# A "server directory" DIR holds DIR/data, DIR/log and DIR/stage_path (the private PostgreSQL it
# runs, made by pg_stage.sh). Servers listen on a unix socket only.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
SERVER_USER=postgres  # who runs the server when we are root; also the name of the superuser role

# How many tests or servers run at once. They wait more than they compute.
JOBS=${JOBS:-$(($(nproc) + 1))}

say() { printf '%s\n' "$*"; }
fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# Whether TESTS='name pattern* !other*' chooses that test; one that a pattern with ! matches is left out.
is_chosen() { # NAME
  local pattern chosen=yes
  set -f
  for pattern in ${TESTS:-}; do
    case $pattern in !*) ;; *) chosen=no ;; esac
  done
  for pattern in ${TESTS:-}; do
    # shellcheck disable=SC2254
    case $1 in $pattern) chosen=yes ;; ${pattern#!}) chosen=never ;; esac
    [ $chosen != never ] || break
  done
  set +f
  [ $chosen = yes ]
}

# Fails where TESTS chooses none of these tests, or names one that is none of them: a spelling mistake
# would look like tests that pass.
check_tests_chosen() { # KIND TEST...
  local kind=$1 patterns pattern test found left=no
  shift
  read -r -d '' -a patterns <<<"${TESTS:-}" || true
  for pattern in "${patterns[@]}"; do
    found=no
    for test in "$@"; do
      # shellcheck disable=SC2254
      case $test in $pattern) found=yes ;; esac
    done
    [ $found = yes ] || [[ $pattern = !* ]] || fail "TESTS: there is no $kind test $pattern"
  done
  for test in "$@"; do
    if is_chosen "$test"; then left=yes; fi
  done
  [ $left = yes ] || fail "TESTS: '${TESTS:-}' leaves no $kind test"
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Runs a command as the user that owns servers, from a directory that this user can enter.
as_server() {
  if [ "$(id -u)" = 0 ]; then
    (cd / && exec runuser -u "$SERVER_USER" -- "$@")
  else
    "$@"
  fi
}

# Installs what is missing of the given Debian packages. Output goes to the given log file.
apt_install() { # LOG PACKAGE...
  local log=$1 package missing=()
  shift
  for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
      missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return 0
  [ "$(id -u)" = 0 ] || command -v sudo >/dev/null || fail "not root and no sudo: install ${missing[*]}"
  say "  apt-get install ${missing[*]}"
  # Without this the PostgreSQL package would create and start a cluster of its own.
  local no_cluster=/etc/postgresql-common/createcluster.d/pg_tviews_scripts.conf
  as_root mkdir -p "${no_cluster%/*}"
  echo 'create_main_cluster = false' | as_root tee "$no_cluster" >/dev/null
  local ok=1
  {
    as_root apt-get update -q &&
      as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
        -o Dpkg::Options::=--force-confold "${missing[@]}"
  } >>"$log" 2>&1 </dev/null || ok=0
  as_root rm -f "$no_cluster"
  [ $ok = 1 ] || {
    tail -n 20 "$log" >&2
    return 1
  }
}

# Runs a program of apt with sources of our own below DIR: those of the machine, asked for source
# packages. The machine's lists, and what it takes from where, stay as they are.
private_apt() { # DIR PROGRAM ARGUMENT...
  local dir=$1 program=$2
  shift 2
  command "$program" -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$dir/sources" \
    -o Dir::State::Lists="$dir/lists" -o Dir::Cache="$dir/cache" -o APT::Sandbox::User= "$@"
}

make_private_apt() { # DIR
  local file
  rm -rf "$1"
  mkdir -p "$1/sources" "$1/lists/partial" "$1/cache/archives/partial"
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
    case $file in
    *.list) sed -nE 's/^deb(-src)?[[:space:]]/deb-src /p' "$file" ;;
    *.sources) sed -E 's/^Types:.*/Types: deb-src/' "$file" ;;
    esac 2>/dev/null >"$1/sources/${file##*/}"
  done
  # A repository that cannot be reached, or has no sources, does not matter if another one has ours.
  private_apt "$1" apt-get update -q
}

# The server that the distribution has; PG_MAJOR=... chooses another one (from apt.postgresql.org, say).
distribution_major() {
  local VERSION_ID=
  . /etc/os-release
  case $VERSION_ID in 12) say 15 ;; 13) say 17 ;; *) say 18 ;; esac
}
PG_MAJOR=${PG_MAJOR:-$(distribution_major)}

# What building and running a server needs, what the tests need besides, and what packaging needs.
BUILD_PACKAGES=(g++ cmake ninja-build pkg-config libabsl-dev libprotobuf-dev protobuf-compiler
  libgtest-dev "postgresql-$PG_MAJOR" "postgresql-client-$PG_MAJOR" "postgresql-server-dev-$PG_MAJOR")
CHECK_PACKAGES=(clang clang-format git graphviz libclang-rt-dev pgbouncer prometheus prometheus-postgres-exporter python3 python3-alembic
  python3-asyncpg python3-django python3-pglast python3-psycopg2 python3-yaml "postgresql-$PG_MAJOR-pglogical" "postgresql-$PG_MAJOR-repack")
PACKAGE_PACKAGES=(dpkg-dev file rpm)

# Describes the server to build for and test with; PG_CONFIG=... chooses another one.
pg_config() { command "${PG_CONFIG:-pg_config}" "$@"; }

# Configures a build of this tree, with ccache where it is installed.
configure_build() { # BUILD_DIR OPTION...
  local build=$1 launcher=()
  shift
  if command -v ccache >/dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
  cmake -S "$ROOT" -B "$build" -G Ninja "${launcher[@]}" ${PG_CONFIG:+"-DPG_CONFIG=$PG_CONFIG"} "$@"
}

# Prints where the server's user can have the directory DIR: there, or, where its parent is closed to
# that user (a checkout in /root), below /var/tmp.
server_place() { # DIR (absolute)
  if as_server test -x "${1%/*}"; then
    say "$1"
  else
    say "/var/tmp/pg_tviews-$(printf %s "${1%/*}" | cksum | cut -d' ' -f1)/${1##*/}"
  fi
}

# Creates a directory that the server's user owns.
make_server_dir() { # DIR
  mkdir -p "$1" && { [ "$(id -u)" != 0 ] || chown "$SERVER_USER:" "$1"; }
}

# The directory of the socket: the server directory, or a short one where the path of the socket
# would exceed what the kernel takes (107 bytes).
server_socket() { # DIR
  if [ ${#1} -le 85 ]; then say "$1"; else say "/tmp/pg_tviews-$(printf %s "$1" | cksum | cut -d' ' -f1)"; fi
}

# The directory of the programs of a stage, or of the server in DIR.
stage_bin() { say "$1$(cat "$1/.bindir")"; } # STAGE
server_bin() { stage_bin "$(cat "$1/stage_path")"; }           # DIR

# Makes the new cluster that all servers of a stage begin with.
make_cluster() { # STAGE
  local made status=0
  made=$(mktemp -d /var/tmp/pg_tviews-cluster.XXXXXX) && make_server_dir "$made" || return 1
  as_server "$(stage_bin "$1")/initdb" -D "$made/data" -U "$SERVER_USER" -A trust -E UTF8 \
    --locale=C --no-sync >"$made/log" 2>&1 || {
    cat "$made/log" >&2
    status=1
  }
  [ $status != 0 ] || { tar -C "$made/data" -cf "$1/cluster.new" . && mv "$1/cluster.new" "$1/cluster.tar"; } || status=1
  rm -rf "$made"
  return $status
}

# Creates a cluster. Settings beyond ours come from the given file, if any, and from SERVER_SETTINGS.
server_init() { # DIR STAGE [CONF]
  local dir=$1 stage=$2 conf=${3:-}
  [ -e "$stage/cluster.tar" ] || fail "$stage has no cluster to begin with: run scripts/pg_stage.sh again"
  make_server_dir "$dir" && make_server_dir "$(server_socket "$dir")" || return 1
  say "$stage" >"$dir/stage_path"
  # A copy of the stage's cluster with a system identifier of its own, as from initdb: what a dump of
  # another cluster brings must be known as such. pg_resetwal completes what dd changes.
  {
    as_server mkdir -m 700 "$dir/data" && as_server tar -C "$dir/data" -xpf - <"$stage/cluster.tar" &&
      head -c 4 /dev/urandom |
      as_server dd of="$dir/data/global/pg_control" bs=4 conv=notrunc status=none &&
      as_server "$(stage_bin "$stage")/pg_resetwal" -f -D "$dir/data"
  } >"$dir/initdb.log" 2>&1 || {
    cat "$dir/initdb.log" >&2
    return 1
  }
  {
    say "listen_addresses = ''"
    say "unix_socket_directories = '$(server_socket "$dir")'"
    say "shared_preload_libraries = 'pg_tviews'"
    say "pg_tviews.audit_rate = 0" # tests count batches, and spoil rows on purpose
    [ -z "$conf" ] || cat "$conf"
    [ -z "${SERVER_SETTINGS:-}" ] || say "$SERVER_SETTINGS"
  } >>"$dir/data/postgresql.conf"
}

# SERVER_PROGRAM runs the server in another way than by its own program: under valgrind, say.
server_start() { # DIR
  make_server_dir "$(server_socket "$1")" || return 1
  as_server "$(server_bin "$1")/pg_ctl" ${SERVER_PROGRAM:+-p "$SERVER_PROGRAM"} -D "$1/data" -l "$1/log" \
    -w -t 120 start \
    >"$1/pg_ctl.log" 2>&1 </dev/null || {
    tail -n 20 "$1/pg_ctl.log" >&2
    as_server tail -n 20 "$1/log" >&2
    return 1
  }
}

server_running() { as_server "$(server_bin "$1")/pg_ctl" -D "$1/data" status >/dev/null 2>&1; } # DIR

server_stop() { # DIR [MODE]
  [ -f "$1/stage_path" ] || return 0
  server_running "$1" || return 0
  as_server "$(server_bin "$1")/pg_ctl" -D "$1/data" -m "${2:-fast}" -w -t 120 stop \
    >"$1/pg_ctl.log" 2>&1
}

# psql without the user's habits, stopping at the first error.
server_psql() { # DIR ARGUMENT...
  local dir=$1
  shift
  "$(server_bin "$dir")/psql" -X -v ON_ERROR_STOP=1 -h "$(server_socket "$dir")" -U "$SERVER_USER" "$@"
}
