// Is somebody there? Asked of a UDP port, which no handshake answers.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/pattern.h"
#include "event/loop.h"
#include "net/address.h"
#include "scan/check_verdict.h"

namespace pier {

struct DatagramQuestion {
  std::vector<std::string> messages = {""};    // a datagram each: what a server of that protocol answers
  bool telling = false;                        // and one that is there does; so silence may be asked again
  std::shared_ptr<const Pattern> expect = {};  // the answer must match
  Duration timeout = std::chrono::seconds(1);  // for an answer
};

// Sends the question, and once more after half the time, for a datagram may be lost. `open` is said only on a
// reply; an ICMP port unreachable is `closed`, another ICMP error `filtered`, and silence `open|filtered`. A
// reply that does not match is an answer all the same: `open`, with the reason.
//
// Calls back once, never from inside the constructor; destroying it cancels.
class DatagramTrial {
 public:
  struct End {
    CheckVerdict verdict;
    bool ready = false;  // a reply, and one that matches
    Duration took{};
  };
  using Done = std::function<void(End)>;

  // `socket` is connected to `peer` unless that is a group, and not owned.
  DatagramTrial(Loop& loop, const Fd& socket, const SocketAddress& peer, DatagramQuestion question,
                const Deadline& deadline, Done done);
  DatagramTrial(const DatagramTrial&) = delete;
  DatagramTrial& operator=(const DatagramTrial&) = delete;

 private:
  void start();
  void ask();
  void on_ready();
  void failed(int code);
  void finish(CheckVerdict verdict, bool ready);

  Loop& loop_;
  const Fd& socket_;
  SocketAddress peer_;
  DatagramQuestion question_;
  Deadline deadline_;
  Done done_;
  Watch watch_;
  Timer again_, silence_;
  TimePoint asked_{};
  std::optional<std::string> mismatch_;  // what a reply that did not match came to
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace pier
