# Our warnings, applied to our targets only. GCC 16 takes Abseil's small tables, which are inlined into
# our code, for uninitialised.
add_library(tviews_warnings INTERFACE)
target_compile_options(tviews_warnings INTERFACE
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_GREATER_EQUAL:$<CXX_COMPILER_VERSION>,16>>:-Wno-maybe-uninitialized>
  $<$<BOOL:${TVIEWS_WERROR}>:-Werror>)
if(TVIEWS_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
if(TVIEWS_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(TVIEWS_COVERAGE)
  add_compile_options(--coverage -fprofile-update=atomic)
  add_link_options(--coverage)
endif()
