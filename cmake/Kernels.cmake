# occam_kernels(occam_worker cuda): the folder's .cu files, compiled by nvcc into the target. Without CMake's
# own CUDA language, whose checks neither the wheels' nvcc nor every new release passes.
find_program(OCCAM_NVCC nvcc REQUIRED
  HINTS ${LIBTORCH_FOLDER}/../nvidia/cu13 /usr/local/cuda PATH_SUFFIXES bin
  DOC "The CUDA compiler")
set(OCCAM_CUDA_ARCHITECTURES 80 90a CACHE STRING
  "Compute capabilities to build for; newer GPUs compile the last one's code at start")

function(occam_kernels target folder)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cu)
  set(targets)
  foreach(architecture IN LISTS OCCAM_CUDA_ARCHITECTURES)
    list(APPEND targets -gencode arch=compute_${architecture},code=sm_${architecture})
    set(newest ${architecture})
  endforeach()
  if(NOT "90a" IN_LIST OCCAM_CUDA_ARCHITECTURES)
    list(APPEND targets -DOCCAM_WITHOUT_90A)
  endif()
  # What is special to one GPU (the a of 90a) is nothing for a newer one.
  string(REGEX REPLACE "a$" "" newest ${newest})
  list(APPEND targets -gencode arch=compute_${newest},code=compute_${newest})
  foreach(source IN LISTS sources)
    get_filename_component(name ${source} NAME)
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.o)
    add_custom_command(OUTPUT ${object}
      COMMAND ${OCCAM_NVCC} -std=c++20 -O3 -ccbin ${CMAKE_CXX_COMPILER} -Xcompiler -fPIC ${targets}
              -I${CMAKE_SOURCE_DIR} -isystem ${NCCL_INCLUDE} -MD -MF ${object}.d -c ${source} -o ${object}
      DEPENDS ${source} DEPFILE ${object}.d COMMENT "Compiling ${folder}/${name}" VERBATIM)
    target_sources(${target} PRIVATE ${object})
    set_source_files_properties(${object} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
  endforeach()
endfunction()
