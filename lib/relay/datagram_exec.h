// A program for each peer of a datagram socket (--exec with -u).
//
// Each write of the program is one datagram to its peer: its stdout is a socket that keeps messages apart.
// Its stdin is a pipe that is given one datagram at a time, the next when that has been read: a program that
// reads with room for a datagram gets one each time, and one that reads by the byte (a shell's `read`) loses
// nothing, as it would from a datagram socket. An empty datagram is not seen. A program that reads too slowly
// loses datagrams, as on any other way that a datagram can take.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "event/loop.h"
#include "net/step.h"
#include "relay/child.h"
#include "relay/datagram_server.h"
#include "relay/program.h"
#include "relay/result.h"

namespace pier {

class DatagramExec final : public DatagramService {
 public:
  // Programs at once, for DatagramServerPlan::most_peers.
  static constexpr std::size_t kMostPeers = 1024;

  // `descriptors` as for Children. `observer` and `steps` (may be nullptr) are not owned.
  DatagramExec(Loop& loop, Program program, std::optional<std::size_t> descriptors, SessionObserver& observer,
               StepSink* steps);

  [[nodiscard]] std::unique_ptr<DatagramHandler> serve(DatagramLine& line) override;
  // Ends all programs; waits until none is left (Children::kEndGrace at most).
  void end_all() override { children_.end_all(); }

 private:
  class Handler;

  Loop& loop_;
  Program program_;
  SessionObserver& observer_;
  StepSink* steps_;
  Children children_;
};

}  // namespace pier
