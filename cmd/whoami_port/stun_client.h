// A STUN client's exchanges over UDP, TCP and TLS (host/stun), on an event loop.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "event/connector.h"
#include "event/loop.h"
#include "host/stun.h"
#include "host/stun_schedule.h"
#include "net/step.h"
#include "stream/handshake.h"

namespace pier::whoami {

struct StunAnswer {
  StunMessage message;  // a success with an address
  SocketAddress local;  // of our socket
  SocketAddress from;
  Duration took{};  // since the first sending
  int sent = 0;     // how often the request was sent
};

// ErrorKind::unknown, which is exit 3, where no answer has come or none that can be used; local for a fault
// of this host.
using StunDone = std::function<void(Result<StunAnswer>)>;

// One UDP socket, and any number of questions on it. Destroying it calls nobody back.
class StunPort {
 public:
  // Bound to `local` with a port of the kernel's choice. With `peer` it is connected there: strangers are
  // kept out, and an ICMP error ends a question at once.
  [[nodiscard]] static Result<std::unique_ptr<StunPort>> open(Loop& loop, const IpAddress& local,
                                                              const std::optional<SocketAddress>& peer,
                                                              StepSink* steps);

  [[nodiscard]] const SocketAddress& local() const { return local_; }

  // `longest`: in place of the RFC's 39.5 s. `done` runs once, from the loop.
  void ask(const StunRequest& request, const SocketAddress& to, std::optional<Duration> longest,
           StunDone done);
  // Called for each request that somebody sends to this socket.
  void on_request(std::function<void(const StunMessage&)> callback) { on_request_ = std::move(callback); }

 private:
  struct Question {
    std::vector<std::byte> bytes;
    SocketAddress to;
    StunSchedule schedule{false};
    StunDone done;
    TimePoint begun{};
    int sent = 0;
    Timer timer;
    Timer end;
  };

  StunPort(Loop& loop, StepSink* steps) : loop_(loop), steps_(steps) {}
  void send(const StunId& id);
  void readable();
  void take(std::span<const std::byte> datagram, const SocketAddress& from);
  void finish(const StunId& id, Result<StunAnswer> answer);
  void fail_all(int code);

  Loop& loop_;
  StepSink* steps_;
  Fd fd_;
  SocketAddress local_;
  bool connected_ = false;
  std::map<StunId, Question> questions_;
  std::function<void(const StunMessage&)> on_request_;
  Watch watch_;
};

// One question over a connection of its own.
class StunConnection {
 public:
  // `handshaker`: for TLS, or nullptr.
  StunConnection(Loop& loop, const SocketAddress& server, std::shared_ptr<Handshaker> handshaker,
                 std::optional<Duration> longest, StepSink* steps, StunDone done);

 private:
  void connected(Result<Connected> result);
  void begin(std::unique_ptr<Stream> stream);
  void exchange();
  void finish(Result<StunAnswer> answer);

  Loop& loop_;
  SocketAddress server_;
  std::shared_ptr<Handshaker> handshaker_;
  StunSchedule schedule_;
  StunDone done_;
  StepSink* steps_;
  StunRequest request_{.id = new_stun_id()};
  std::vector<std::byte> out_ = encode(request_);
  std::vector<std::byte> in_;
  SocketAddress local_;
  TimePoint begun_{};
  bool written_ = false;
  std::optional<Connector> connector_;
  std::unique_ptr<Handshake> handshake_;
  std::unique_ptr<Stream> stream_;
  Watch watch_;
  Timer end_;
};

}  // namespace pier::whoami
