# Our warnings; every target of ours links occam_warnings.
add_library(occam_warnings INTERFACE)
target_compile_options(occam_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow
  # GCC 12 sees overlaps in every "text" + std::string (its bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  # Moves of a std::variant, inlined at -O3, look uninitialised to it (its bug 80635).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
if(OCCAM_WERROR)
  target_compile_options(occam_warnings INTERFACE -Werror)
endif()
