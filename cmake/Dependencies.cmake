# Abseil, protobuf-lite and GoogleTest: the system's shared libraries. Debian's static ones are
# compiled for executables and cannot be linked into a module.
find_package(absl REQUIRED)
find_package(GTest REQUIRED)
find_package(Protobuf CONFIG QUIET)
if(NOT Protobuf_FOUND)
  find_package(Protobuf REQUIRED)  # protobuf 3.21 ships no CMake package: module mode
endif()

add_library(tviews_libraries INTERFACE)
target_link_libraries(tviews_libraries INTERFACE
  absl::status absl::statusor absl::strings absl::flat_hash_map absl::flat_hash_set absl::cord
  absl::function_ref absl::span protobuf::libprotobuf-lite)

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
