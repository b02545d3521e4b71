# Checks of the sources themselves.
find_package(Python3 3.11 REQUIRED COMPONENTS Interpreter)

# The arrows between the folders of lib/, and the proof that the check can fail.
add_test(NAME check.layers COMMAND ${Python3_EXECUTABLE} -B ${PROJECT_SOURCE_DIR}/scripts/check-layers)
add_test(NAME check.layers.self_test
  COMMAND ${Python3_EXECUTABLE} -B ${PROJECT_SOURCE_DIR}/scripts/check-layers --self-test)

# Skipped, with the reason, where clang-format-19 is not installed.
add_test(NAME check.format COMMAND ${PROJECT_SOURCE_DIR}/scripts/format --check)
set_tests_properties(check.format PROPERTIES SKIP_RETURN_CODE 77)
set_tests_properties(check.layers check.layers.self_test check.format PROPERTIES LABELS check)

# The man pages against what the built programs say of themselves; skipped without mandoc.
add_test(NAME check.man COMMAND ${Python3_EXECUTABLE} -B ${PROJECT_SOURCE_DIR}/scripts/check-man ${PROJECT_BINARY_DIR})
add_test(NAME check.man.self_test COMMAND ${Python3_EXECUTABLE} -B ${PROJECT_SOURCE_DIR}/scripts/check-man --self-test)
set_tests_properties(check.man check.man.self_test PROPERTIES SKIP_RETURN_CODE 77 LABELS check)
