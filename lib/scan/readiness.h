// What a user may ask of a server beyond accepting a connection: that it stays, and what it says.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/pattern.h"
#include "event/loop.h"
#include "scan/check_result.h"
#include "scan/check_verdict.h"
#include "stream/stream.h"

namespace pier {

struct Readiness {
  std::optional<Duration> stable = {};               // still open so long after it was made
  std::shared_ptr<const Pattern> expect = {};        // matches somewhere in what the server sends
  std::string send_text = {};                        // sent first
  Duration reply_timeout = std::chrono::seconds(5);  // `expect`: how long the text may take to come

  [[nodiscard]] bool any() const { return stable || expect || !send_text.empty(); }
};

// Tries one connection. Calls back once, never from inside the constructor; destroying it cancels.
class ReadinessTrial {
 public:
  // What is searched for `expect` at most: a greeting, a status line, an answer. More is no match.
  static constexpr std::size_t kMostText = 64 * 1024;

  struct End {
    std::optional<CheckVerdict> against;  // nothing when it is ready
    std::string received;                 // what has been read, which is the session's
  };
  using Done = std::function<void(End)>;

  // `stream` is not owned. `connected` is when it was made. Nothing waits beyond `deadline`.
  ReadinessTrial(Loop& loop, Stream& stream, const Readiness& rules, TimePoint connected,
                 const Deadline& deadline, Done done);
  ReadinessTrial(const ReadinessTrial&) = delete;
  ReadinessTrial& operator=(const ReadinessTrial&) = delete;

 private:
  void start();
  void on_ready();
  void send();
  void receive();
  void look();
  void ended(const std::string& how);
  void update_interest();
  void refuse(CheckState state, std::string reason);
  void finish(std::optional<CheckVerdict> against);

  Loop& loop_;
  Stream& stream_;
  Readiness rules_;
  TimePoint connected_;
  Deadline deadline_;
  Done done_;
  Watch watch_;
  Timer patience_, stable_;
  std::size_t sent_ = 0;
  std::string received_;
  bool matched_;
  bool stayed_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace pier
