// Clients carried on to another endpoint: to one and the same (--to), or where each asks to go (a proxy).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "event/connector.h"
#include "event/loop.h"
#include "relay/relay.h"
#include "relay/service.h"
#include "stream/handshake.h"

namespace pier {

// A client's request to be connected, without any I/O: bytes of the client go in, bytes for it come out.
class ForwardRequest {
 public:
  virtual ~ForwardRequest() = default;

  struct Fed {
    std::size_t consumed = 0;  // less than all only when done: the rest is the target's
    bool done = false;         // the target is known
  };
  [[nodiscard]] virtual Result<Fed> receive(std::string_view bytes) = 0;
  // What is to be sent to the client now; also after a receive() that failed.
  [[nodiscard]] virtual std::string take_output() = 0;
  // Once done.
  [[nodiscard]] virtual Endpoint target() const = 0;
  // What became of it, to be told to the client: `local` is where the connection comes from.
  virtual void connected(const SocketAddress& local) = 0;
  virtual void failed(const Error& error) = 0;
};

struct ForwardPlan {
  // How targets are connected to. Its endpoint is where all clients go, unless they are asked.
  ConnectPlan connect;
  std::shared_ptr<Handshaker> handshaker = {};                    // to the target, such as TLS
  std::function<std::unique_ptr<ForwardRequest>()> request = {};  // asks each client; empty: nobody is asked
  RelayRules rules;  // crlf, the taps, rate_limit, idle_timeout (also of asking and connecting), steps
};

// Both directions end by themselves and are passed on, and so is a reset of either side. A target that can't
// be reached is the end of its client: with the refusal of its protocol, or a reset where it has none.
class ForwardService final : public Service {
 public:
  ForwardService(Loop& loop, ForwardPlan plan);
  ~ForwardService() override;
  ForwardService(const ForwardService&) = delete;
  ForwardService& operator=(const ForwardService&) = delete;

  using Service::serve;
  void serve(const Session& session, std::unique_ptr<Stream> stream) override;
  void end_all() override;

 private:
  class Client;

  void ended(std::uint64_t id);

  Loop& loop_;
  ForwardPlan plan_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Client>> clients_;
};

}  // namespace pier
