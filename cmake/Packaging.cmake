# `cpack` in the build directory makes a Debian package for the server that was built against, `cpack -G
# RPM` an RPM with the same files. What they depend on beyond that server is read from the module
# (dpkg-shlibdeps, rpm's find-requires).
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME postgresql-${PostgreSQL_MAJOR}-pg-tviews)
set(CPACK_PACKAGE_CONTACT "pg_tviews maintainers <maintainers@pg-tviews.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "tables of JSON documents that stay equal to their query")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
  "A TVIEW is an ordinary table of PostgreSQL ${PostgreSQL_MAJOR} that background workers keep exactly
equal to its defining query. The server must load the library with
shared_preload_libraries = 'pg_tviews'.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PACKAGE_DEPENDS postgresql-${PostgreSQL_MAJOR})
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_PACKAGE_VENDOR "pg_tviews maintainers")
set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_PACKAGE_NAME pg_tviews_${PostgreSQL_MAJOR})
set(CPACK_RPM_PACKAGE_SUMMARY ${CPACK_PACKAGE_DESCRIPTION_SUMMARY})
set(CPACK_RPM_PACKAGE_DESCRIPTION ${CPACK_DEBIAN_PACKAGE_DESCRIPTION})
set(CPACK_RPM_PACKAGE_LICENSE PostgreSQL)
set(CPACK_RPM_PACKAGE_GROUP Applications/Databases)
set(CPACK_RPM_PACKAGE_REQUIRES postgresql${PostgreSQL_MAJOR}-server)
set(CPACK_RPM_SPEC_MORE_DEFINE "%define _build_id_links none")
# Directories of the server and of the system: the package must not own them.
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION /usr/share/doc)
foreach(directory ${PostgreSQL_PKGLIBDIR} ${PostgreSQL_SHAREDIR}/extension)
  while(NOT directory STREQUAL "/")
    list(APPEND CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION ${directory})
    cmake_path(GET directory PARENT_PATH directory)
  endwhile()
endforeach()
# cpack takes files with absolute names for configuration, which an update may leave as they are.
set(CPACK_RPM_USER_FILELIST "%attr(0755,root,root) ${PostgreSQL_PKGLIBDIR}/pg_tviews.so")
foreach(file pg_tviews.control ${tviews_sql} ${tviews_upgrade_scripts} ${tviews_version_scripts})
  cmake_path(GET file FILENAME name)
  list(APPEND CPACK_RPM_USER_FILELIST "%attr(0644,root,root) ${PostgreSQL_SHAREDIR}/extension/${name}")
endforeach()
foreach(name copyright README.md CHANGELOG.md)
  list(APPEND CPACK_RPM_USER_FILELIST "%doc /usr/share/doc/${CPACK_PACKAGE_NAME}/${name}")
endforeach()
set(CPACK_STRIP_FILES ON)
set(CPACK_SET_DESTDIR ON)  # pg_config's directories are absolute
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_OUTPUT_FILE_PREFIX packages)
set(tviews_doc /usr/share/doc/${CPACK_PACKAGE_NAME})
install(FILES LICENSE DESTINATION ${tviews_doc} RENAME copyright COMPONENT documents EXCLUDE_FROM_ALL)
install(FILES README.md CHANGELOG.md DESTINATION ${tviews_doc} COMPONENT documents EXCLUDE_FROM_ALL)
set(CPACK_INSTALL_CMAKE_PROJECTS
  "${CMAKE_BINARY_DIR};${PROJECT_NAME};ALL;/" "${CMAKE_BINARY_DIR};${PROJECT_NAME};documents;/")
include(CPack)
