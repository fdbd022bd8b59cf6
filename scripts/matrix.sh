#!/bin/bash
# Usage: scripts/matrix.sh [--only KIND]... [SUITE...]     (root; needs debootstrap; an hour per suite)
#        KIND: build, unit, regress, isolation, system, docs (all of them are the default)
# Builds with warnings as errors, runs the tests on the PostgreSQL of each Debian suite in a chroot (bookworm,
# trixie, sid: PostgreSQL 15, 17, 18), and writes what came out, with commit and date, into the table of
# docs/operations/upgrades.md. `embedded` is the PostgreSQL 16 that scripts/embedded_server.sh makes, on bookworm; `here` is
# the server of PG_CONFIG on this system: PG_MAJOR=16 PG_CONFIG=/usr/lib/postgresql/16/bin/pg_config scripts/matrix.sh here
# TESTS= does not choose: a cell stands for all tests of its kind. Logs are in build/matrix.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
unset TESTS
ALL_KINDS=(build unit regress isolation system docs)
kinds=()
suites=()
inside=
embedded=
while [ $# -gt 0 ]; do
  case $1 in
  --only)
    [[ " ${ALL_KINDS[*]} " == *" ${2:-} "* ]] || fail "--only takes one of: ${ALL_KINDS[*]}"
    kinds+=("$2")
    shift
    ;;
  --inside) # what runs in the chroot
    inside=$2
    shift
    ;;
  --embedded) embedded=yes ;; # in the chroot: the server of build/pg16
  here | [a-z]*) suites+=("$1") ;;
  *) fail "usage: scripts/matrix.sh [--only KIND]... [SUITE...]" ;;
  esac
  shift
done
[ ${#kinds[@]} -gt 0 ] || kinds=("${ALL_KINDS[@]}")
[ ${#suites[@]} -gt 0 ] || suites=(bookworm trixie sid)

# Prints what a kind's runner prints, and a line `matrix: KIND STATUS` after it.
run_kind() { # KIND BUILD
  local status=0
  case $1 in
  build) configure_build "$2" -DTVIEWS_WERROR=ON && cmake --build "$2" -- -k 0 || status=$? ;;
  unit) "$2/test/unit/unit_tests" || status=$? ;;
  *) "$ROOT/test/$1/run.sh" "$2" || status=$? ;;
  esac
  printf '\nmatrix: %s %s\n' "$1" $status
  return $status
}

install_embedded() {
  rm -rf /opt/pg16
  cp -a "$ROOT/build/pg16" /opt/pg16
  echo /opt/pg16/libraries >/etc/ld.so.conf.d/pg16.conf
  ldconfig
  export PG_CONFIG=/opt/pg16/bin/pg_config
}

run_inside() { # BUILD
  local kind
  [ -z "$embedded" ] || install_embedded
  say "matrix: server $(pg_config --version | sed 's/PostgreSQL \([0-9.a-z]*\).*/\1/') $(. /etc/os-release && say "$PRETTY_NAME")"
  apt_install /tmp/matrix-apt.log "${BUILD_PACKAGES[@]}" "${CHECK_PACKAGES[@]}"
  # Everything else needs the build; no test keeps the others from being run.
  run_kind build "$1" 2>&1 || return 1
  for kind in "${kinds[@]}"; do [ "$kind" = build ] || run_kind "$kind" "$1" 2>&1 || true; done
}

if [ -n "$inside" ]; then
  run_inside "$inside"
  exit
fi

logs=$ROOT/build/matrix
mkdir -p "$logs"
only=()
for kind in "${kinds[@]}"; do only+=(--only "$kind"); done
status=0
for suite in "${suites[@]}"; do
  log=$logs/$suite.log
  say "$suite: ${kinds[*]}: $log"
  case $suite in
  here) command=(scripts/matrix.sh --inside "$logs/here") ;;
  embedded)
    [ -x "$ROOT/build/pg16/bin/pg_config" ] || "$ROOT/scripts/embedded_server.sh" "$ROOT/build/pg16"
    command=(scripts/in_chroot.sh bookworm scripts/matrix.sh --embedded --inside /build/matrix16)
    ;;
  *) command=(scripts/in_chroot.sh "$suite" scripts/matrix.sh --inside /build/matrix) ;;
  esac
  (cd "$ROOT" && nice "${command[@]}" "${only[@]}") >"$log" 2>&1 </dev/null || status=1
  python3 "$ROOT/scripts/matrix_table.py" "$log" "$ROOT/docs/operations/upgrades.md" || status=1
done
exit $status
