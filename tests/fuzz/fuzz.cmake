# Every tests/fuzz/NAME_fuzz.cc defines LLVMFuzzerTestOneInput; its seeds are the files of tests/fuzz/seeds/NAME/.
# With PIER_FUZZ (preset fuzz) it becomes a libFuzzer program, and the test is a short campaign; otherwise
# replay_main.cc runs every seed and a fixed number of mutations of each. Either fails when there is no seed.
set(PIER_FUZZ_RUNS 20000 CACHE STRING "Runs of each harness in a libFuzzer test")

file(GLOB harnesses CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/*_fuzz.cc)
foreach(source ${harnesses})
  cmake_path(GET source STEM name)
  string(REGEX REPLACE "_fuzz$" "" name ${name})
  set(seeds ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/seeds/${name})
  add_executable(fuzz_${name} ${source})
  target_link_libraries(fuzz_${name} PRIVATE pier_host pier_cli pier_core)
  target_include_directories(fuzz_${name} PRIVATE ${PROJECT_SOURCE_DIR})
  if(PIER_FUZZ)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    set(corpus ${CMAKE_CURRENT_BINARY_DIR}/corpus_${name})
    file(MAKE_DIRECTORY ${corpus})
    add_test(NAME fuzz.${name} COMMAND fuzz_${name} -runs=${PIER_FUZZ_RUNS} -max_len=4096 ${corpus} ${seeds})
  else()
    target_sources(fuzz_${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/replay_main.cc)
    add_test(NAME fuzz.${name} COMMAND fuzz_${name} ${seeds})
  endif()
  set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 300)
endforeach()
