// One attempt to reach one endpoint: connecting, what comes before a session, and what makes it ready.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "event/connector.h"
#include "event/loop.h"
#include "scan/check_result.h"
#include "scan/datagram_trial.h"
#include "scan/readiness.h"
#include "stream/handshake.h"
#include "stream/passage.h"
#include "stream/stream.h"

namespace pier {

// Where a session begins.
struct Reached {
  Fd fd;                           // of a connection with nothing between it and the peer, or
  std::unique_ptr<Stream> stream;  // what leads there
  SocketAddress peer;
  SocketAddress local;
  SocketFile file = {};   // to be kept as long as the connection
  bool deferred = false;  // see Connected
  bool many = false;      // likewise
  std::string received;   // what has been read already
};

struct ReachPlan {
  Endpoint endpoint;    // what is to be reached
  ConnectPlan connect;  // to it, or to the first proxy on the way; its timeout is that of one attempt
  std::vector<std::shared_ptr<Passage>> passages = {};  // in order, each leading to the next
  std::size_t proxies = 0;  // so many of them, the first, are proxies: `connect` does not reach the endpoint
  std::shared_ptr<Handshaker> handshaker = {};  // after all these: TLS
  Readiness ready = {};
  // UDP: asks whether somebody is there. Without it the peer is fixed, and nothing is sent.
  std::optional<DatagramQuestion> question = {};
  bool session = false;       // the connection is wanted, not only the answer
  bool until_closed = false;  // what is wanted is that nobody accepts

  // Try until then; without it there is one attempt, but endless ones with until_closed.
  std::optional<Duration> wait = {};
  // After a failed attempt, how long until the next is begun, counted from its begin: doubled each time from
  // the first to the last value. A port that opens is noticed soon, and a host that stays away for a minute
  // is not hammered. A refusal by this very host costs nobody anything: there `near_pause` is the last value.
  Duration first_pause = std::chrono::milliseconds(25);
  Duration last_pause = std::chrono::seconds(1);
  Duration near_pause = std::chrono::milliseconds(50);
  // Of each attempt to connect where connect.timeout is not set and `wait` is; the look-up of the name does
  // not count. A host that comes up answers the next attempt sooner than the kernel's own second or third
  // SYN.
  Duration attempt_limit = std::chrono::seconds(1);
  // The same for the passages and the handshake together.
  Duration handshake_limit = std::chrono::seconds(5);
};

// Calls back once, never from inside the constructor; destroying it cancels.
class ReachAttempt {
 public:
  struct End {
    CheckResult check;
    std::optional<Reached> reached;  // where check.error is not set
    bool may_change = true;          // another attempt might come to something else
  };
  using Done = std::function<void(End)>;

  // `plan` must outlive this. Nothing waits beyond `deadline`.
  ReachAttempt(Loop& loop, const ReachPlan& plan, const Deadline& deadline, Done done);
  ReachAttempt(const ReachAttempt&) = delete;
  ReachAttempt& operator=(const ReachAttempt&) = delete;

 private:
  void connected(Connected connected);
  void not_connected(const Error& error, const std::vector<Attempt>& attempts);
  void connect();
  void go_on();
  void pass(Passage& passage);
  void passed(Result<PassageEnd> end);
  void not_passed(const Error& error, bool by_proxy);
  void handshake();
  [[nodiscard]] Deadline limit() const;
  void begin_trial();
  void give_back();
  void ask();
  void not_ready(const CheckVerdict& verdict);
  void up(std::string reason);
  void finish();

  Loop& loop_;
  const ReachPlan& plan_;
  Deadline deadline_;
  Done done_;
  End end_;
  Reached reached_;
  TimePoint begun_ = now();
  TimePoint connected_at_{};
  std::unique_ptr<Connector> connector_;
  std::size_t passed_ = 0;  // of the passages
  int beginnings_ = 0;      // connections made for passages that ask for another
  std::unique_ptr<Handshake> handshake_;
  std::unique_ptr<ReadinessTrial> trial_;
  std::unique_ptr<DatagramTrial> datagram_trial_;
};

}  // namespace pier
