# Abseil, protobuf-lite and GoogleTest: the system's shared libraries, or, with TVIEWS_STATIC_DEPS, the
# static ones that scripts/static_deps.sh has made. Debian's static ones are compiled for executables and
# cannot be linked into a module.
set(TVIEWS_STATIC_DEPS "" CACHE PATH "Link Abseil and protobuf-lite from this prefix into the module")
if(TVIEWS_TESTS)
  find_package(GTest REQUIRED)
endif()
find_package(Protobuf CONFIG QUIET)
if(NOT Protobuf_FOUND)
  find_package(Protobuf REQUIRED)  # protobuf 3.21 ships no CMake package: module mode
endif()

add_library(tviews_libraries INTERFACE)
if(TVIEWS_STATIC_DEPS)
  find_package(absl REQUIRED PATHS ${TVIEWS_STATIC_DEPS} NO_DEFAULT_PATH)
  add_library(tviews_protobuf STATIC IMPORTED)
  set_target_properties(tviews_protobuf PROPERTIES
    IMPORTED_LOCATION ${TVIEWS_STATIC_DEPS}/lib/libprotobuf-lite.a
    INTERFACE_INCLUDE_DIRECTORIES ${TVIEWS_STATIC_DEPS}/include)
  find_package(Threads REQUIRED)
  target_link_libraries(tviews_libraries INTERFACE tviews_protobuf Threads::Threads)
else()
  find_package(absl REQUIRED)
  target_link_libraries(tviews_libraries INTERFACE protobuf::libprotobuf-lite)
endif()
target_link_libraries(tviews_libraries INTERFACE
  absl::status absl::statusor absl::strings absl::flat_hash_map absl::flat_hash_set absl::cord
  absl::function_ref absl::span)

# Generates NAME.pb.{h,cc} of `proto` (a path below `root`) into the build tree and adds them.
function(tviews_compile_proto target root proto)
  set(out ${CMAKE_BINARY_DIR}/generated)
  string(REGEX REPLACE "\\.proto$" "" base ${proto})
  file(MAKE_DIRECTORY ${out})
  add_custom_command(
    OUTPUT ${out}/${base}.pb.cc ${out}/${base}.pb.h
    COMMAND protobuf::protoc --proto_path=${CMAKE_SOURCE_DIR}/${root} --cpp_out=${out} ${proto}
    DEPENDS ${CMAKE_SOURCE_DIR}/${root}/${proto} VERBATIM)
  set_source_files_properties(${out}/${base}.pb.cc PROPERTIES COMPILE_OPTIONS "-w")
  target_sources(${target} PRIVATE ${out}/${base}.pb.cc ${out}/${base}.pb.h)
  target_include_directories(${target} SYSTEM PUBLIC ${out})
endfunction()
