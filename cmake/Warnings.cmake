# Our warnings; every target of ours links occam_warnings.
add_library(occam_warnings INTERFACE)
target_compile_options(occam_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow)
if(OCCAM_WERROR)
  target_compile_options(occam_warnings INTERFACE -Werror)
endif()
