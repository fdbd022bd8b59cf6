# `make && make install PG_CONFIG=...`, as the PGXN client calls it. CMake does the work: see
# docs/development/building.md. DESTDIR works as usual; STATIC_DEPS=PREFIX is -DTVIEWS_STATIC_DEPS.
PG_CONFIG ?= pg_config
BUILD ?= build/make
STATIC_DEPS ?=
# A number: without one, make would start every compiler at once.
JOBS ?= $(shell nproc)

all:
	cmake -S . -B $(BUILD) -DCMAKE_BUILD_TYPE=Release -DTVIEWS_TESTS=OFF \
	  -DPG_CONFIG="$$(command -v $(PG_CONFIG))" -DTVIEWS_STATIC_DEPS="$(STATIC_DEPS)"
	cmake --build $(BUILD) --parallel $(JOBS)

install: all
	DESTDIR="$(DESTDIR)" cmake --install $(BUILD)

# On private servers with a build of its own: nothing has to be installed for it.
installcheck:
	cmake -S . -B $(BUILD)-check -DPG_CONFIG="$$(command -v $(PG_CONFIG))"
	cmake --build $(BUILD)-check --parallel $(JOBS)
	test/regress/run.sh $(BUILD)-check

clean:
	rm -rf $(BUILD) $(BUILD)-check

.PHONY: all install installcheck clean
