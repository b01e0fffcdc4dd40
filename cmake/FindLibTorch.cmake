# LibTorch as imported targets, without the CUDA toolkit that the wheel's own TorchConfig insists on.
# Looked for, in this order: LIBTORCH_ROOT, CMAKE_PREFIX_PATH, build/libtorch-{cpu,cuda} (where
# ./quickstart puts the wheel), the torch of the active Python.
set(LIBTORCH_ROOT "" CACHE PATH "Folder that holds lib/libtorch.so and include/torch")
if(OCCAM_CUDA)
  set(_wheel ${CMAKE_SOURCE_DIR}/build/libtorch-cuda/torch)
else()
  set(_wheel ${CMAKE_SOURCE_DIR}/build/libtorch-cpu/torch)
endif()
find_library(LIBTORCH_CPU torch_cpu PATHS ${LIBTORCH_ROOT} PATH_SUFFIXES lib NO_DEFAULT_PATH)
find_library(LIBTORCH_CPU torch_cpu PATHS ${CMAKE_PREFIX_PATH} PATH_SUFFIXES lib NO_DEFAULT_PATH)
find_library(LIBTORCH_CPU torch_cpu PATHS ${_wheel} PATH_SUFFIXES lib NO_DEFAULT_PATH)
if(NOT LIBTORCH_CPU)
  find_program(_python NAMES python3 python)
  if(_python)
    execute_process(
      COMMAND ${_python} -c "import torch, os; print(os.path.dirname(torch.__file__))"
      OUTPUT_VARIABLE _python_torch OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    find_library(LIBTORCH_CPU torch_cpu PATHS ${_python_torch} PATH_SUFFIXES lib NO_DEFAULT_PATH)
  endif()
endif()
if(LIBTORCH_CPU)
  get_filename_component(LIBTORCH_LIB ${LIBTORCH_CPU} DIRECTORY)
  get_filename_component(LIBTORCH_FOLDER ${LIBTORCH_LIB} DIRECTORY)
  file(STRINGS ${LIBTORCH_FOLDER}/include/torch/headeronly/version.h _version_lines
       REGEX "define TORCH_VERSION_M(AJOR|INOR) ")
  if(NOT _version_lines)
    file(STRINGS ${LIBTORCH_FOLDER}/include/torch/csrc/api/include/torch/version.h _version_lines
         REGEX "define TORCH_VERSION_M(AJOR|INOR) ")
  endif()
  string(REGEX REPLACE "[^0-9;]" "" _version_parts "${_version_lines}")
  list(JOIN _version_parts "." LibTorch_VERSION)
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch
  REQUIRED_VARS LIBTORCH_CPU LIBTORCH_FOLDER VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE
  "run ./quickstart, which installs it into build/, or set -DLIBTORCH_ROOT=/path/to/torch")

if(LibTorch_FOUND AND NOT TARGET LibTorch::LibTorch)
  add_library(LibTorch::LibTorch INTERFACE IMPORTED)
  # The wheels of the CUDA runtime lie beside torch's own folder, each with a lib of its own.
  file(GLOB _wheel_libs ${LIBTORCH_FOLDER}/../nvidia/*/lib)
  set(_libraries torch_cpu c10)
  if(OCCAM_CUDA)
    list(APPEND _libraries torch_cuda c10_cuda torch)
    # The runtime of the wheels that torch came with, else of a toolkit.
    set(_cuda_places ${LIBTORCH_FOLDER}/../nvidia/cu13 /usr/local/cuda)
    find_path(CUDA_RUNTIME_INCLUDE cuda_runtime_api.h HINTS ${_cuda_places} PATH_SUFFIXES include REQUIRED)
    find_library(CUDA_RUNTIME NAMES libcudart.so.13 cudart HINTS ${_cuda_places} PATH_SUFFIXES lib lib64 REQUIRED)
    target_include_directories(LibTorch::LibTorch SYSTEM INTERFACE ${CUDA_RUNTIME_INCLUDE})
    target_link_libraries(LibTorch::LibTorch INTERFACE ${CUDA_RUNTIME})
    # The NCCL that torch itself loads, so that a process has one.
    set(_nccl_places ${LIBTORCH_FOLDER}/../nvidia/nccl /usr/local/cuda)
    find_path(NCCL_INCLUDE nccl.h HINTS ${_nccl_places} PATH_SUFFIXES include REQUIRED)
    find_library(NCCL NAMES libnccl.so.2 nccl HINTS ${_nccl_places} PATH_SUFFIXES lib lib64 REQUIRED)
    target_include_directories(LibTorch::LibTorch SYSTEM INTERFACE ${NCCL_INCLUDE})
    target_link_libraries(LibTorch::LibTorch INTERFACE ${NCCL})
  endif()
  list(TRANSFORM _libraries PREPEND ${LIBTORCH_LIB}/lib)
  list(TRANSFORM _libraries APPEND .so)
  target_include_directories(LibTorch::LibTorch SYSTEM INTERFACE
    ${LIBTORCH_FOLDER}/include ${LIBTORCH_FOLDER}/include/torch/csrc/api/include)
  target_link_libraries(LibTorch::LibTorch INTERFACE
    -Wl,--no-as-needed,--allow-shlib-undefined ${_libraries} -Wl,--as-needed)
  set(LIBTORCH_RPATH ${LIBTORCH_LIB} ${_wheel_libs})
endif()
