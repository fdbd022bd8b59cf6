#!/bin/bash
# Usage: scripts/pgxn_dist.sh [COMMIT [DIR]]
# Makes the PGXN distribution of a commit (HEAD) in DIR (build/packages): pg_tviews-VERSION.zip with the
# tree as it is in git. Prints the file's name.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
commit=${1:-HEAD}
mkdir -p "${2:-$ROOT/build/packages}"
dir=$(cd "${2:-$ROOT/build/packages}" && pwd)
version=$(git -C "$ROOT" show "$commit:META.json" | python3 -c 'import json, sys; print(json.load(sys.stdin)["version"])')
zip=$dir/pg_tviews-$version.zip
git -C "$ROOT" archive --format=zip --prefix="pg_tviews-$version/" -o "$zip" "$commit"
say "$zip"
