# Tests of the real binaries: every method test_* of tests/{blackbox,interop,lab}/*_test.py is a ctest test
# FOLDER.FILE.CLASS.METHOD of its own. They share nothing, so `ctest -j` may run them all at once.
find_package(Python3 3.11 REQUIRED COMPONENTS Interpreter)

file(GLOB files CONFIGURE_DEPENDS
  ${CMAKE_CURRENT_SOURCE_DIR}/blackbox/*_test.py
  ${CMAKE_CURRENT_SOURCE_DIR}/interop/*_test.py
  ${CMAKE_CURRENT_SOURCE_DIR}/lab/*_test.py)
if(files)
  # A new method in a file is a new test: read them again when one changes.
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${files})
  execute_process(
    COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_SOURCE_DIR}/blackbox/list_tests.py ${files}
    OUTPUT_VARIABLE listed COMMAND_ERROR_IS_FATAL ANY OUTPUT_STRIP_TRAILING_WHITESPACE)
  string(REPLACE "\n" ";" listed "${listed}")
  foreach(line ${listed})
    string(REGEX MATCH "^(.*)[|](.*)[|](.*)$" matched "${line}")
    set(path ${CMAKE_MATCH_1})
    set(class ${CMAKE_MATCH_2})
    set(method ${CMAKE_MATCH_3})
    cmake_path(GET path STEM stem)
    cmake_path(GET path PARENT_PATH folder)
    cmake_path(GET folder FILENAME folder)
    set(test ${folder}.${stem}.${class}.${method})
    add_test(NAME ${test} COMMAND ${Python3_EXECUTABLE} -B
      ${CMAKE_CURRENT_SOURCE_DIR}/blackbox/run_one.py ${path} ${class}.${method})
    # The timeout is a net under a test that hangs; no test passes or fails by it.
    set_tests_properties(${test} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 120 LABELS ${folder}
      ENVIRONMENT "PIER_BIN_DIR=${PROJECT_BINARY_DIR}")
  endforeach()
endif()
