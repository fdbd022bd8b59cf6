#!/bin/bash
# Usage: scripts/dev_server.sh start DIR [STAGE [CONF]]  create (first time) and start a private server
#        scripts/dev_server.sh stop DIR [fast|immediate]
#        scripts/dev_server.sh psql DIR [psql arguments]
# STAGE is what pg_stage.sh made; a server in DIR remembers it. CONF is appended to postgresql.conf.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
[ $# -ge 2 ] || fail "usage: dev_server.sh start|stop|psql DIR ..."
command=$1
dir=$(realpath -m "$2")
shift 2

case $command in
start)
  if [ ! -f "$dir/data/PG_VERSION" ]; then
    [ $# -ge 1 ] || fail "a new server needs the STAGE to run"
    server_init "$dir" "$(realpath "$1")" "${2:-}"
  fi
  server_running "$dir" || server_start "$dir"
  say "psql: $(server_bin "$dir")/psql -h $(server_socket "$dir") -U $SERVER_USER"
  ;;
stop) server_stop "$dir" "$@" ;;
psql) server_psql "$dir" "$@" ;;
*) fail "unknown command $command" ;;
esac
