# occam_library(experiments LINK ...): every .cc of the folder, includes from the repository's root.
function(occam_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LINK")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  list(FILTER sources EXCLUDE REGEX "/main\\.cc$|/mpi_link\\.cc$")
  add_library(occam_${name} STATIC ${sources})
  set_target_properties(occam_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_include_directories(occam_${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(occam_${name} PUBLIC ${arg_LINK} PRIVATE occam_warnings)
endfunction()

# The revision of the source and the digest of what decides numbers, for the database's `revision`
# and `build` columns: written at build time, so that a commit does not reconfigure, and only when
# they change.
set(OCCAM_REVISION_HEADER ${CMAKE_BINARY_DIR}/generated/revision.h)
add_custom_target(occam_revision
  COMMAND ${CMAKE_COMMAND} -DSOURCE=${CMAKE_SOURCE_DIR} -DHEADER=${OCCAM_REVISION_HEADER}
          -DVERSION=${PROJECT_VERSION} -P ${CMAKE_SOURCE_DIR}/cmake/Revision.cmake
  BYPRODUCTS ${OCCAM_REVISION_HEADER}
  COMMENT "")
