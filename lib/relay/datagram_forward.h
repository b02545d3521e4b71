// Datagrams carried on (--to with -u): each peer has a socket of its own to the target, so that the target
// can tell them apart, and what it answers goes back to that peer.
#pragma once

#include <memory>

#include "event/connector.h"
#include "event/loop.h"
#include "relay/datagram_server.h"

namespace pier {

// A target that refuses (ICMP, or a Unix socket that has gone) or can't be found ends that peer's session;
// the peer's next datagram begins another. What arrives faster than it can be sent on is lost.
class DatagramForward final : public DatagramService {
 public:
  // `connect` says how the target is reached: UDP or Unix datagrams. It is looked up for each peer.
  DatagramForward(Loop& loop, ConnectPlan connect) : loop_(loop), connect_(std::move(connect)) {}
  [[nodiscard]] std::unique_ptr<DatagramHandler> serve(DatagramLine& line) override;

 private:
  class Handler;

  Loop& loop_;
  ConnectPlan connect_;
};

}  // namespace pier
