# Everything pg_config says, as one imported target. -DPG_CONFIG=... chooses another server.
find_program(PG_CONFIG NAMES pg_config
  HINTS /usr/lib/postgresql/18/bin /usr/lib/postgresql/17/bin /usr/lib/postgresql/16/bin
        /usr/lib/postgresql/15/bin
  REQUIRED)
foreach(item BINDIR PKGLIBDIR SHAREDIR INCLUDEDIR-SERVER PGXS VERSION)
  string(TOLOWER ${item} flag)
  execute_process(COMMAND ${PG_CONFIG} --${flag} OUTPUT_VARIABLE value
    OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  string(REPLACE "-" "_" name ${item})
  set(PostgreSQL_${name} ${value})
endforeach()
string(REGEX MATCH "[0-9]+" PostgreSQL_MAJOR ${PostgreSQL_VERSION})
if(PostgreSQL_MAJOR LESS 15)
  message(FATAL_ERROR "pg_tviews needs PostgreSQL 15 or newer, found ${PostgreSQL_VERSION}")
endif()
message(STATUS "PostgreSQL: ${PostgreSQL_VERSION} (${PG_CONFIG})")

add_library(PostgreSQL::Server INTERFACE IMPORTED)
# SYSTEM: the headers of 15 use `register`, which C++17 no longer knows.
target_include_directories(PostgreSQL::Server SYSTEM INTERFACE ${PostgreSQL_INCLUDEDIR_SERVER})
# The server's inline functions rely on these two; the other flags of pg_config are for C.
target_compile_options(PostgreSQL::Server INTERFACE -fno-strict-aliasing -fwrapv)
