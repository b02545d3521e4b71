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
  std::string interface = {};
  bool mptcp = false;
  bool fast_open = false;
  Deadline deadline = {};
  Duration stagger = std::chrono::milliseconds(250);
  StepSink* steps = nullptr;  // must outlive the race
  std::function<void(const Attempt&)> on_attempt = {};
};

struct RaceResult {
  std::optional<Connected> winner = {};
  bool timed_out = false;              // the deadline came first
  std::optional<Error> setup = {};     // the last fault of this host: of socket, setsockopt, bind, or no port
  std::vector<Attempt> attempts = {};  // those made, in order of their start
  std::vector<SocketAddress> not_tried = {};
};

// The next attempt begins `stagger` after the one before it, or at once when that one has failed. A full Unix
// backlog is tried again until there is room, and for kPortPatience a local port that is not to be had. A TCP
// socket that has connected to itself (its ephemeral port was the one that was looked for, and nobody listens
// there) counts as refused.
//
// Calls back once, never from inside the constructor; destroying it cancels and closes all attempts.
class Race {
 public:
  using Done = std::function<void(RaceResult)>;

  // A port in TIME_WAIT can be taken again after a second where tcp_tw_reuse allows it (ip-sysctl of the
  // kernel), and others come free all the time.
  static constexpr Duration kPortPatience = std::chrono::milliseconds(1500);

  Race(Loop& loop, RacePlan plan, Done done);
  ~Race();
  Race(const Race&) = delete;
  Race& operator=(const Race&) = delete;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace pier
