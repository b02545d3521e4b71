// Connecting to an endpoint: resolve, then race its addresses by RFC 8305 (Happy Eyeballs, version 2).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "event/loop.h"
#include "net/address.h"
#include "net/endpoint.h"
#include "net/hostmatch.h"
#include "net/icmp_error.h"
#include "net/options.h"
#include "net/socket_file.h"
#include "net/step.h"

namespace pier {

// What became of one address.
struct Attempt {
  enum class End : unsigned char {
    overtaken,  // another address was faster, or the race was called off
    connected,
    failed,     // `code` says how
    no_answer,  // time ran out while it waited
  };
  SocketAddress address;
  End end = End::overtaken;
  int code = 0;                        // errno
  std::optional<IcmpError> icmp = {};  // what made it fail, where ICMP did
  bool local = false;                  // a fault of this host, no answer of the network
  Duration took{};
};

struct ConnectPlan {
  Endpoint endpoint = {};
  std::optional<Family> family = {};  // -4 or -6
  // Bound before connecting; with port 0 the kernel chooses late (IP_BIND_ADDRESS_NO_PORT). Only addresses of
  // its family are tried.
  std::optional<SocketAddress> source = {};
  // In place of `source`: this port alone, at whatever address of each attempt's family the kernel chooses.
  std::optional<std::uint16_t> source_port = {};
  SocketOptions options = {};  // of each attempt's socket, set before it connects
  std::string interface = {};  // held to this one (net/device); empty: whatever the routes say
  bool mptcp = false;          // TCP: Multipath TCP (RFC 8684), where the peer has it too
  // TCP: the first bytes go with the SYN (RFC 7413) where the server has given us a cookie before. Such a
  // connection is "connected" before it has begun: Connected::deferred.
  bool fast_open = false;
  // For everything, resolving included; none waits as long as the kernel does.
  std::optional<Duration> timeout = {};
  // For the race alone, once the addresses are known.
  std::optional<Duration> race_timeout = {};
  Duration stagger = std::chrono::milliseconds(250);  // RFC 8305, section 5: "Connection Attempt Delay"
  // Where it may go: addresses that these rules do not admit are left out, and an error with the code EPERM
  // says so when none is left.
  HostRules hosts = {};
  StepSink* steps = nullptr;  // must outlive the connector
  // Told of each attempt as it ends.
  std::function<void(const Attempt&)> on_attempt = {};
};

struct Connected {
  Fd fd;  // non-blocking
  SocketAddress peer;
  Duration took{};       // of the winning attempt
  SocketFile file = {};  // of a Unix source path: to be kept as long as the descriptor
  // Fast open: nothing is sent yet, and the first write is what connects (net/socket, start_deferred).
  bool deferred = false;
  // UDP: the peer is a group or a broadcast address. The socket is not connected to it, for it would then
  // hear nobody: whoever replies has an address of its own.
  bool many = false;
};

// Runs until it calls back, once, never from inside the constructor; destroying it cancels and closes all
// attempts. For Unix and datagram sockets there is one attempt and nothing to race: connecting only fixes the
// peer (a Unix datagram client without a source is bound to an autobound abstract name, so that it can be
// answered).
class Connector {
 public:
  // `attempts` are those made, in order of their start. The error's kind: failed (refused, reset,
  // unreachable, name not known), deadline (timeout), local, usage. Its message names the endpoint as written
  // and, when there were several, each address's fate: "connect db:5432: 10.0.0.5 refused;
  // 10.0.0.6 no answer in 5.00 s".
  using Callback = std::function<void(Result<Connected>, const std::vector<Attempt>& attempts)>;

  Connector(Loop& loop, ConnectPlan plan, Callback callback);
  ~Connector();
  Connector(Connector&&) noexcept;
  Connector& operator=(Connector&&) noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// An endpoint as errors and records call it: as it was written, and "localhost:80" for a port alone.
[[nodiscard]] std::string name_of(const Endpoint& endpoint);

// The order in which addresses are tried: the families take turns, beginning with that of the first (RFC
// 8305, section 4).
[[nodiscard]] std::vector<IpAddress> interleaved(std::vector<IpAddress> addresses);

}  // namespace pier
