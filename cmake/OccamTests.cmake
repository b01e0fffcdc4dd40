# occam_tests(experiments LABEL unit LINK occam_experiments): one program of tests/experiments/*_test.cc,
# each test a ctest of its own.
function(occam_tests folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "OPTIMISED" "LABEL" "LINK")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${folder}/*_test.cc)
  if(NOT sources)
    return()
  endif()
  add_executable(${folder}_tests ${sources})
  target_compile_definitions(${folder}_tests PRIVATE
    OCCAM_SOURCE_DIR="${CMAKE_SOURCE_DIR}" OCCAM_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
  target_link_libraries(${folder}_tests PRIVATE ${arg_LINK} occam_warnings GTest::gtest_main)
  if(NOT arg_OPTIMISED)  # they compile in half the time
    target_compile_options(${folder}_tests PRIVATE $<$<CONFIG:Release>:-Og>)
  endif()
  gtest_discover_tests(${folder}_tests TEST_PREFIX ${folder}. DISCOVERY_TIMEOUT 60
    PROPERTIES LABELS ${arg_LABEL} TIMEOUT 900)
endfunction()

# occam_script_test(bad_input LABEL e2e): tests/end_to_end/bad_input.py with the folder of the built programs.
# CASE r gives it a further word, and its test that name; PROPERTIES are the test's: with a COST those that take
# longest begin first.
function(occam_script_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "LABEL;CASE" "PROPERTIES")
  set(test ${arg_LABEL}.${name})
  if(arg_CASE)
    string(APPEND test .${arg_CASE})
  endif()
  add_test(NAME ${test}
    COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/tests/end_to_end/${name}.py
            ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} ${arg_CASE})
  set_tests_properties(${test} PROPERTIES LABELS ${arg_LABEL} TIMEOUT 900 SKIP_RETURN_CODE 77
    ${arg_PROPERTIES})
endfunction()
