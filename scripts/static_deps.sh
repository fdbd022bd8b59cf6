#!/bin/bash
# Usage: scripts/static_deps.sh PREFIX     (Debian; needs apt-get's source archives, a compiler, CMake)
# Compiles Abseil and protobuf-lite from the distribution's source packages as static libraries that
# may be linked into a module, for -DTVIEWS_STATIC_DEPS=PREFIX. The distribution's own static
# libraries are compiled for executables. PREFIX/sources.tsv says what they were made of: scripts/sbom.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
[ $# = 1 ] || fail "usage: static_deps.sh PREFIX"
mkdir -p "$1"
prefix=$(cd "$1" && pwd)
log=$prefix/build.log
work=$prefix/work
[ ! -e "$prefix/.complete" ] || exit 0

# Fetches the source of what is installed, because protoc's output has to fit the headers; its newest
# where the archive no longer has that. apt has checked the archives by the time dpkg-source sees them.
fetch() { # SOURCE BINARY
  local version
  version=$(dpkg-query -W -f='${source:Version}' "$2")
  (cd "$work" && { private_apt "$work/apt" apt-get source -q --download-only "$1=$version" ||
    private_apt "$work/apt" apt-get source -q --download-only "$1"; })
  (cd "$work" && dpkg-source --no-check -x "$1"_*.dsc "$1")
  printf '%s\t%s\t%s\n' "$1" "$(sed -n 's/^Version: //p' "$work/$1"_*.dsc | head -n 1)" \
    "$(cd "$work" && sha256sum "$1"_*.orig.tar.* | head -n 1 | cut -d' ' -f1)" >>"$prefix/sources.tsv.new"
}

compile() { # SOURCE OPTION...
  local source=$1
  shift
  cmake -S "$work/$source" -B "$work/$source-build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_STANDARD=20 \
    -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DCMAKE_CXX_VISIBILITY_PRESET=hidden -DCMAKE_VISIBILITY_INLINES_HIDDEN=ON \
    -DBUILD_SHARED_LIBS=OFF -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib "$@"
}

make_all() {
  rm -rf "$work" "${prefix:?}/lib" "${prefix:?}/include" "$prefix/sources.tsv.new"
  mkdir -p "$work"
  make_private_apt "$work/apt"
  fetch abseil libabsl-dev
  fetch protobuf libprotobuf-dev
  compile abseil -DABSL_PROPAGATE_CXX_STD=ON -DBUILD_TESTING=OFF
  ninja -C "$work/abseil-build" install
  compile protobuf -Dprotobuf_BUILD_TESTS=OFF -Dprotobuf_BUILD_PROTOC_BINARIES=OFF -Dprotobuf_WITH_ZLIB=OFF
  ninja -C "$work/protobuf-build" libprotobuf-lite.a
  install -m 644 "$work/protobuf-build/libprotobuf-lite.a" "$prefix/lib/"
  mkdir -p "$prefix/include/google" && cp -r "$work/protobuf/src/google/protobuf" "$prefix/include/google/"
  mv "$prefix/sources.tsv.new" "$prefix/sources.tsv"
  rm -rf "$work"
  touch "$prefix/.complete"
}

(make_all) >"$log" 2>&1 || {
  tail -n 30 "$log" >&2
  fail "static libraries could not be made: $log"
}
say "static libraries in $prefix: $(cut -f1,2 "$prefix/sources.tsv" | tr '\t\n' ' ;')"
