// How SYNs go out and what answers them comes in: the seam between the engine that keeps no probe in memory
// and this host's sockets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "net/address.h"
#include "packet/syn_reply.h"

namespace pier {

struct SynProbe {
  std::uint64_t tag = 0;  // comes back in SynFault
  IpAddress address;
  std::uint16_t port = 0;
  std::size_t lane = 0;  // which source port; below lanes()
};

struct SynAnswer {
  SynReply::Kind kind = SynReply::Kind::reset;
  IpAddress address;
  std::uint16_t port = 0;
  std::size_t lane = 0;
  std::optional<IcmpError> icmp = {};
  TimePoint at;  // when it came in
};

// A probe that did not leave this host.
struct SynFault {
  std::uint64_t tag = 0;
  int code = 0;  // errno
};

class SynWire {
 public:
  virtual ~SynWire() = default;

  // Source ports, at least 1. An answer comes back to the one that was asked from.
  [[nodiscard]] virtual std::size_t lanes() const = 0;
  // How many probes queue() takes until the next flush(). It may keep some until it knows where to send them,
  // and when it keeps too many, there is no room for a while.
  [[nodiscard]] virtual std::size_t room() const = 0;
  virtual void queue(const SynProbe& probe, std::vector<SynFault>& faults) = 0;
  struct Resumed {
    std::size_t packets = 0;
    std::vector<std::uint64_t> probes = {};  // the tags of those among them
  };
  // Queues at most so many packets that wait here: probes that were kept, and questions where to send them,
  // but for the first question for a probe, which goes in its place. To be called often, before queue().
  [[nodiscard]] virtual Resumed resume(std::size_t /*most*/, std::vector<SynFault>& /*faults*/) { return {}; }
  // Whether probes that were kept can go.
  [[nodiscard]] virtual bool can_resume() const { return false; }
  // The tags of probes that were kept and dropped since the last call: nobody told where to send them.
  [[nodiscard]] virtual std::vector<std::uint64_t> take_unsent() { return {}; }
  // How long it keeps a probe at most.
  [[nodiscard]] virtual Duration longest_kept() const { return Duration::zero(); }
  // Sends what is queued. False when this host's transmit queue is full, and the rest is still queued, or
  // when it keeps too many: there is no use in asking again at once.
  [[nodiscard]] virtual bool flush(std::vector<SynFault>& faults) = 0;
  // Why nothing more can go out, or come in: an interface has gone.
  [[nodiscard]] virtual std::optional<Error> trouble() = 0;

  // Appends the answers that are there; never waits. Only those to probes that were sent: nobody else knows
  // what to put in.
  virtual void take(std::vector<SynAnswer>& answers) = 0;
  // How many packets, which may have been answers, this host had no room for since the last call.
  [[nodiscard]] virtual std::uint64_t take_drops() = 0;
  // Waits until `until`, an answer, or a descriptor that was to wake us; true for that.
  [[nodiscard]] virtual bool wait(const Deadline& until) = 0;
};

}  // namespace pier
