// While a person at a terminal waits for a server: one line that says for whom, how long, and why.
#pragma once

#include <functional>
#include <string>

#include "cli/app.h"
#include "event/loop.h"
#include "out/progress.h"
#include "scan/check_result.h"

namespace pier::client {

// Shows nothing off a terminal or under -q, nor in the first half second, which most connections need not.
// The line is gone when this is destroyed.
class WaitLine {
 public:
  // `text` says for whom and why; how long it has been is added here.
  WaitLine(Loop& loop, const App& app, std::function<std::string()> text);

 private:
  void tick();

  Loop& loop_;
  Progress progress_;
  std::function<std::string()> text_;
  std::string limit_;  // " of 30 s" with --wait
  TimePoint begun_ = now();
  Timer timer_;
};

// "db:5432: refused (12 tries)"; nothing known yet is "db:5432".
[[nodiscard]] std::string waiting_text(const Endpoint& endpoint, const CheckResult* latest, int tries);

}  // namespace pier::client
