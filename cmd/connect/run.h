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
  std::unique_ptr<Stream> stream = {};  // what talk() goes through, where connecting alone does not make it

  // Tells the end, as News::end does, for a run that outside.ended().
  int end_from_outside();
};

// Connects, and joins the peer to stdin and stdout.
int talk(Run& run, const DialPlan& plan);

// --check, and --wait for several endpoints or a command: nothing is sent; one row each with --check. Becomes
// the command when one is given and all is up.
int check(Run& run, const Plan& plan);

}  // namespace pier::client
