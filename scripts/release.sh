#!/bin/bash
# Usage: scripts/release.sh TAG [SUITE...]     (root; needs debootstrap; half an hour)
# Makes everything of a release from a tag (or another commit), and nothing from the work tree, in build/release/VERSION:
# the PGXN distribution, Debian packages for the suites (bookworm and trixie) and an RPM of the last suite, each tried
# in a clean system, their bills of materials (SPDX), and SHA256SUMS. A tag vVERSION has to be the version of the tree,
# with its heading in CHANGELOG.md. IMAGES=1 also builds and tries the images (scripts/image_test.sh).
set -euo pipefail
. "$(dirname "$0")/lib.sh"
[ $# -ge 1 ] || fail "usage: release.sh TAG [SUITE...]"
tag=$1
shift
[ $# -gt 0 ] || set -- bookworm trixie
commit=$(git -C "$ROOT" rev-parse --verify "$tag^{commit}")
version=$(git -C "$ROOT" show "$commit:CMakeLists.txt" | sed -n 's/^project(pg_tviews VERSION \([0-9.]*\).*/\1/p')
out=$ROOT/build/release/$version
tree=$out/tree

if [[ $tag == v[0-9]* ]]; then
  [ "$tag" = "v$version" ] || fail "tag $tag is of version $version (CMakeLists.txt)"
  git -C "$ROOT" show "$commit:CHANGELOG.md" | grep -qE "^## \[?$version\b" || fail "CHANGELOG.md has no heading for $version"
fi

# A clone of its own, because packages name their commit's date, and checks look at what git knows.
rm -rf "$out"
mkdir -p "$out"
git clone -q --no-checkout "$ROOT" "$tree"
git -C "$tree" checkout -q "$commit"
"$tree/scripts/check_packaging"
"$tree/scripts/pgxn_dist.sh" "$commit" "$out"

"$tree/scripts/package_test.sh" "$@"
for suite in "$@"; do
  for file in "$tree/build/packages/$suite"/*.deb*; do
    [ ! -e "$out/${file##*/}" ] || fail "two suites make ${file##*/}"
    cp "$file" "$out"
  done
done
rpm_suite=${*: -1}
"$tree/scripts/package_test.sh" --rpm "$rpm_suite"
cp "$tree/build/packages/$rpm_suite"/*.rpm* "$out"
[ -z "${IMAGES:-}" ] || "$tree/scripts/image_test.sh"

rm -rf "$tree"
(cd "$out" && sha256sum -- * >SHA256SUMS && sha256sum --check --quiet SHA256SUMS)
say "release $version of $(git -C "$ROOT" rev-parse --short "$commit"): $out"
ls -l "$out"
