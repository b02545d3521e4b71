// The race itself: connection attempts to known addresses, staggered as in RFC 8305, section 5. The first to
// connect wins, and the others are closed.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "event/connector.h"
#include "event/loop.h"
#include "net/address.h"
#include "net/endpoint.h"
#include "net/options.h"
#include "net/step.h"

namespace pier {

struct RacePlan {
  std::vector<SocketAddress> addresses = {};  // in the order in which they are tried
  Transport transport = Transport::tcp;
  std::optional<SocketAddress> source = {};       // of the family of all the addresses
  std::optional<std::uint16_t> source_port = {};  // in place of it: the port alone, in each one's family
  SocketOptions options = {};                     // of each attempt's socket
  Deadline deadline = {};
  Duration stagger = std::chrono::milliseconds(250);
  StepSink* steps = nullptr;  // must outlive the race
};

struct RaceResult {
  std::optional<Connected> winner = {};
  bool timed_out = false;              // the deadline came first
  std::optional<Error> setup = {};     // the last fault before connect(2): of socket, setsockopt or bind
  std::vector<Attempt> attempts = {};  // those made, in order of their start
};

// The next attempt begins `stagger` after the one before it, or at once when that one has failed. A full Unix
// backlog is tried again until there is room. A TCP socket that has connected to itself (its ephemeral port
// was the one that was looked for, and nobody listens there) counts as refused.
//
// Calls back once, never from inside the constructor; destroying it cancels and closes all attempts.
class Race {
 public:
  using Done = std::function<void(RaceResult)>;

  Race(Loop& loop, RacePlan plan, Done done);
  ~Race();
  Race(const Race&) = delete;
  Race& operator=(const Race&) = delete;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace pier
