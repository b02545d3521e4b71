// One run of pier-connect: what its parts share, and one function for each thing it can do, whose result is
// the exit code.
#pragma once

#include "cmd/connect/options.h"
#include "cmd/session.h"

namespace pier::client {

// What ends a run from outside: a signal, --timeout, or a record that can't be written. Kept together, so
// that every stage can ask.
struct Outside {
  int signal = 0;
  bool out_of_time = false;
  std::optional<Error> fault = {};
  [[nodiscard]] bool ended() const { return signal != 0 || out_of_time || fault; }
};

struct Run {
  const App& app;
  News& news;
  Loop& loop;
  LocalEnds& ends;
  std::optional<Program> program = {};  // of --exec or --sh-exec
  Outside outside = {};

  // Tells the end, as News::end does, for a run that outside.ended().
  int end_from_outside();
};

// Connects to the one endpoint of the plan, and joins it to stdin and stdout.
int talk(Run& run, Plan plan);

// --check, --until-closed, and --wait for several endpoints or a command: no session; one row each with
// --check. Becomes the command when one is given and all is as it should be.
int check(Run& run, Plan plan);

}  // namespace pier::client
