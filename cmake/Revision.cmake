# Writes HEADER with the version, the git revision (with "-dirty"), and a digest of the sources that
# decide numbers, so that two builds which compute the same can be told from two which may not.
execute_process(COMMAND git -C ${SOURCE} rev-parse --short=12 HEAD OUTPUT_VARIABLE revision
                OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
execute_process(COMMAND git -C ${SOURCE} status --porcelain --untracked-files=no
                OUTPUT_VARIABLE changes ERROR_QUIET)
if(NOT revision)
  set(revision "unknown")
elseif(changes)
  string(APPEND revision "-dirty")
endif()
file(GLOB_RECURSE numeric ${SOURCE}/worker/*.cc ${SOURCE}/worker/*.h ${SOURCE}/worker/*.cu
     ${SOURCE}/worker/*.cuh
     ${SOURCE}/images/*.cc ${SOURCE}/images/*.h)
# Of the plan what training and scoring read: defaults and budgets, classes, augmentations, rows to fit on.
foreach(name trial dataset augmentation evaluation disk)
  list(APPEND numeric ${SOURCE}/experiments/${name}.cc ${SOURCE}/experiments/${name}.h)
endforeach()
list(SORT numeric)
set(digests "")
foreach(source ${numeric})
  file(SHA256 ${source} digest)
  file(RELATIVE_PATH name ${SOURCE} ${source})
  string(APPEND digests "${name} ${digest}\n")
endforeach()
string(SHA256 numeric_digest "${digests}")
string(SUBSTRING ${numeric_digest} 0 12 numeric_digest)
set(text "#pragma once
#define OCCAM_VERSION \"${VERSION}\"
#define OCCAM_REVISION \"${revision}\"
#define OCCAM_NUMERIC_DIGEST \"${numeric_digest}\"
")
if(EXISTS ${HEADER})
  file(READ ${HEADER} old)
endif()
if(NOT "${old}" STREQUAL "${text}")
  file(WRITE ${HEADER} "${text}")
endif()
