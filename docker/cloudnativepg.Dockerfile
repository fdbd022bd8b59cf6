# An extension image for CloudNativePG: nothing but lib/ and share/, mounted below /extensions beside PostgreSQL 18.
#     docker build -t pg_tviews-18 -f docker/cloudnativepg.Dockerfile .
# The operand image brings neither Abseil nor protobuf, so both are linked in. BASE has to have the Debian release and the
# PostgreSQL of the operand image. scripts/image_test.sh builds it.
ARG BASE=postgres:18-trixie

FROM ${BASE} AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ cmake ninja-build pkg-config libabsl-dev libprotobuf-dev \
    protobuf-compiler dpkg-dev file ca-certificates postgresql-server-dev-$PG_MAJOR
COPY scripts/static_deps.sh scripts/lib.sh /deps/scripts/
RUN /deps/scripts/static_deps.sh /deps/prefix
COPY . /src
RUN cmake -S /src -B /build -G Ninja -DTVIEWS_TESTS=OFF -DTVIEWS_STATIC_DEPS=/deps/prefix \
    -DPG_CONFIG=/usr/lib/postgresql/$PG_MAJOR/bin/pg_config \
 && ninja -C /build \
 && /src/scripts/check_exports /build \
 && DESTDIR=/installed cmake --install /build --strip \
 && mkdir -p /image/lib /image/share \
 && cp /installed/usr/lib/postgresql/$PG_MAJOR/lib/pg_tviews.so /image/lib/ \
 && cp -r /installed/usr/share/postgresql/$PG_MAJOR/extension /image/share/ \
 && cp /src/LICENSE /image/

FROM scratch
COPY --from=build /image/ /
