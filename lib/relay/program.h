// A program to run for a peer: found once, before anybody has come.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace pier {

struct Program {
  std::string path;                    // of the file
  std::vector<std::string> arguments;  // argv, the name of the program first
};

// Finds what execvp(3) would run for these words (at least one): the first as a path when it has a "/" in it,
// otherwise along PATH, or /bin:/usr/bin where there is none. Errors: ErrorKind::not_found (exit 127), and
// ErrorKind::cannot_run (126) where a file of the name is there, but not one that may be executed.
[[nodiscard]] Result<Program> find_program(std::vector<std::string> words);

// /bin/sh -c COMMAND.
[[nodiscard]] Result<Program> shell_program(const std::string& command);

}  // namespace pier
