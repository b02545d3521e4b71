# The target `tidy`: clang-tidy 19 over every source of lib/ and cmd/, by .clang-tidy. It reads this build's
# compile commands, which clang understands when clang made them: preset clang.
find_program(CLANG_TIDY clang-tidy-19)
find_program(RUN_CLANG_TIDY run-clang-tidy-19)
if(CLANG_TIDY AND RUN_CLANG_TIDY AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_custom_target(tidy
    COMMAND ${RUN_CLANG_TIDY} -quiet -clang-tidy-binary ${CLANG_TIDY} -p ${PROJECT_BINARY_DIR}
            "^${PROJECT_SOURCE_DIR}/(lib|cmd)/.*\\.cc$"
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} VERBATIM USES_TERMINAL)
endif()
