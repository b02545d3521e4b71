// Is it up? Connects to endpoints, all at once, and sends nothing (--check, --wait).
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "event/dialer.h"
#include "event/loop.h"
#include "scan/check_result.h"

namespace pier {

class Checks {
 public:
  // `done` runs once, from the loop, with a result for each plan in the plans' order. Destroying it cancels.
  // At most `at_once` are under way (at least 1); the time that a plan waits for its turn counts for its
  // `wait`.
  Checks(Loop& loop, std::vector<DialPlan> plans, std::size_t at_once,
         std::function<void(std::vector<CheckResult>)> done);
  ~Checks();
  Checks(const Checks&) = delete;
  Checks& operator=(const Checks&) = delete;

  // For a datagram socket, which no handshake answers: how long a reply, or an ICMP error, is waited for when
  // the plan has no timeout.
  static constexpr Duration kDatagramTimeout = std::chrono::seconds(1);

  // How many descriptors one check may need: a socket for each family, and what resolving a name takes.
  static constexpr std::size_t kDescriptorsEach = 6;

  // What is known by now, in the plans' order, without those that have no answer yet.
  [[nodiscard]] std::vector<CheckResult> results() const;

 private:
  struct One;
  void dialled(One& one, Result<Connected> connected, const std::vector<Attempt>& attempts);
  void start_next();
  void dial(One& one);
  void probe_datagram(One& one, Connected connected);
  void probe_ended(One& one, CheckState state, std::string reason, ErrorKind kind);
  void settle(One& one, CheckState state, std::string reason, ErrorKind kind);

  Loop& loop_;
  std::vector<std::unique_ptr<One>> all_;
  std::size_t at_once_;
  std::size_t started_ = 0;
  std::size_t settled_ = 0;
  TimePoint begun_ = now();
  std::function<void(std::vector<CheckResult>)> done_;
};

// The state and the reason that connecting's errno stands for, when it came from the network.
struct ConnectVerdict {
  CheckState state;
  std::string reason;
};
[[nodiscard]] ConnectVerdict connect_verdict(int code);

}  // namespace pier
