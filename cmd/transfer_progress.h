// --progress of listen and connect: how far a session's bytes are, on stderr while it lasts.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cli/app.h"
#include "cmd/local_ends.h"
#include "cmd/session.h"
#include "event/loop.h"
#include "out/progress.h"
#include "out/transfer_line.h"
#include "relay/result.h"

namespace pier {

// Redrawn in place on a terminal that can, at most ten times a second; elsewhere a line a second, and only
// where that is asked for by --progress=always or stderr is a terminal. Does nothing at all without
// --progress or under -q.
class TransferProgress {
 public:
  struct Totals {
    std::uint64_t received = 0;
    std::uint64_t sent = 0;
  };
  // The totals so far; nullopt while there is no session.
  using Ask = std::function<std::optional<Totals>()>;

  // None of them is owned. Asks at each line, from the loop, until end(); a line of `news` goes before it.
  TransferProgress(const App& app, News& news, Loop& loop, const LocalEnds& ends, Ask ask);
  ~TransferProgress() { news_.before_lines({}); }
  TransferProgress(const TransferProgress&) = delete;
  TransferProgress& operator=(const TransferProgress&) = delete;

  // The last line, with the average rate; nothing where there was no session.
  void end(const std::optional<RelayResult>& result);

 private:
  void arm();
  void tick();
  // The directions worth telling of, in one line. `average`: over `took` in place of the rate of late.
  [[nodiscard]] std::string line(Totals totals, std::optional<Duration> took) const;

  const App& app_;
  News& news_;
  Loop& loop_;
  Ask ask_;
  bool active_ = false;
  std::string sent_title_, received_title_;
  std::optional<std::uint64_t> size_;  // of the input
  bool to_file_ = false;               // what is received goes to a file
  RateMeter sent_, received_;
  Progress line_;
  Timer timer_;
};

}  // namespace pier
