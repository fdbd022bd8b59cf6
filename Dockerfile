# PostgreSQL with pg_tviews, after the official image, with all that is documented of that.
#     docker build -t pg_tviews . && docker run -e POSTGRES_PASSWORD=secret -p 5432:5432 pg_tviews
# BASE is any image with Debian, PostgreSQL and PG_MAJOR in its environment. scripts/image_test.sh builds it.
ARG BASE=postgres:17-trixie

FROM ${BASE} AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ cmake ninja-build pkg-config libabsl-dev libprotobuf-dev \
    protobuf-compiler dpkg-dev file postgresql-server-dev-$PG_MAJOR
COPY . /src
RUN cmake -S /src -B /build -G Ninja -DTVIEWS_TESTS=OFF -DPG_CONFIG=/usr/lib/postgresql/$PG_MAJOR/bin/pg_config \
 && ninja -C /build \
 && cd /build \
 && cpack

FROM ${BASE}
COPY --from=build /build/packages/ /tmp/packages/
# The sample is what every new cluster's configuration begins with.
RUN apt-get update \
 && apt-get install -y --no-install-recommends /tmp/packages/*.deb \
 && rm -rf /tmp/packages /var/lib/apt/lists/* \
 && echo "shared_preload_libraries = 'pg_tviews'" >> /usr/share/postgresql/$PG_MAJOR/postgresql.conf.sample
COPY docker/initdb.sql /docker-entrypoint-initdb.d/10_pg_tviews.sql
