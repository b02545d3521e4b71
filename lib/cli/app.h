// What every command does around its own work: safe descriptors, signals, --help and --version, errors, the
// exit code.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "cli/exit_code.h"
#include "cli/flags.h"
#include "out/style.h"

namespace pier {

// The state of a run that any command may ask about. Made by run_app; lives as long as the command.
struct App {
  const Command& command;
  const Parsed& args;
  Style out;                   // of stdout
  Style err;                   // of stderr
  bool quiet = false;          // -q: errors only
  int verbosity = 0;           // how many -v
  bool stdin_closed = false;   // descriptor 0 was closed at the start and now stands for an empty file
  bool stdout_closed = false;  // descriptor 1 was, and now is /dev/null

  // One line on stderr. note() says nothing under -q; detail() only with -v. error() is "pier-NAME: message".
  void note(std::string_view line) const;
  void detail(std::string_view line) const;
  void error(std::string_view line) const;
  // Prints the error and returns its exit code.
  int fail(const Error& error) const;
  // Flushes a Writer on stdout and turns the run's code into the exit code: 141 when its reader has gone, 2
  // when it cannot be written.
  int finish(class Writer& out, int code) const;
};

// Puts /dev/null under each of the descriptors 0 to 2 that is closed, ignores SIGPIPE (a write then says
// EPIPE), parses, answers --help and --version on stdout, and calls `run`, whose result is the exit code. The
// one place that catches exceptions: a bug is exit 2 with one line.
int run_app(int argc, char** argv, const Command& command, int (*run)(App&));

}  // namespace pier
