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
  Checks(Loop& loop, std::vector<DialPlan> plans, std::function<void(std::vector<CheckResult>)> done);
  ~Checks();
  Checks(const Checks&) = delete;
  Checks& operator=(const Checks&) = delete;

  // For a datagram socket, which no handshake answers: how long a reply, or an ICMP error, is waited for when
  // the plan has no timeout.
  static constexpr Duration kDatagramTimeout = std::chrono::seconds(1);

 private:
  struct One;
  void dialled(One& one, Result<Connected> connected, const std::vector<Attempt>& attempts);
  void probe_datagram(One& one, Connected connected);
  void settle(One& one, CheckState state, std::string reason, ErrorKind kind);

  Loop& loop_;
  std::vector<std::unique_ptr<One>> all_;
  std::size_t open_questions_;
  std::function<void(std::vector<CheckResult>)> done_;
};

// The state and the reason that connecting's errno stands for, when it came from the network.
struct ConnectVerdict {
  CheckState state;
  std::string reason;
};
[[nodiscard]] ConnectVerdict connect_verdict(int code);

}  // namespace pier
