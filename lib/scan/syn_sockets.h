// SYNs by this host's sockets: packet sockets on Ethernet, raw IP sockets elsewhere.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/error.h"
#include "net/step.h"
#include "packet/flow.h"
#include "packet/receiver.h"
#include "packet/sender.h"
#include "packet/source_ports.h"
#include "packet/way.h"
#include "scan/prober.h"
#include "scan/syn_wire.h"

namespace pier {

struct SynSocketsOptions {
  ProbeSource source = {};
  bool ipv4 = false;
  bool ipv6 = false;
  // A target: frames by its interface go by a ring, where one can be had.
  std::optional<IpAddress> first = {};
  // End wait() when readable; not owned. Of one that hangs up that is told once.
  std::vector<int> wake_fds = {};
  StepSink* steps = nullptr;  // must outlive the sockets
};

// One thread sends and receives, and the ring takes in what comes meanwhile. A second thread could save no
// more than the twentieth of its processor time that goes to answers where every probe has one (perf, a
// million probes over a veth pair): nine tenths are the kernel's.
class SynSockets final : public SynWire {
 public:
  // Opens everything that is ever needed: after this, privileges can go. ErrorKind::local; where it is a
  // right that is missing, is_missing_right() of the error.
  [[nodiscard]] static Result<std::unique_ptr<SynSockets>> open(SynSocketsOptions options);

  [[nodiscard]] std::size_t lanes() const override { return ports_.numbers().size(); }
  [[nodiscard]] std::size_t room() const override { return sender_.room(); }
  void queue(const SynProbe& probe, std::vector<SynFault>& faults) override;
  [[nodiscard]] bool flush(std::vector<SynFault>& faults) override;
  [[nodiscard]] std::optional<Error> trouble() override;
  void take(std::vector<SynAnswer>& answers) override;
  [[nodiscard]] std::uint64_t take_drops() override;
  [[nodiscard]] bool wait(const Deadline& until) override;

 private:
  SynSockets(SynSocketsOptions options, SourcePorts ports, FlowCookie cookie, Ways ways, PacketSender sender)
      : options_(std::move(options)),
        ports_(std::move(ports)),
        cookie_(cookie),
        ways_(std::move(ways)),
        sender_(std::move(sender)) {}

  [[nodiscard]] std::optional<Error> interface_trouble(unsigned interface) const;
  [[nodiscard]] std::optional<std::size_t> lane_of(std::uint16_t port) const;

  SynSocketsOptions options_;
  SourcePorts ports_;
  FlowCookie cookie_;
  Ways ways_;
  PacketSender sender_;
  std::vector<SynReceiver> receivers_;
  std::vector<SendFailure> failures_;
  std::optional<Error> trouble_;
  std::uint32_t clock_ = 0;               // of TCP timestamps: milliseconds, as of the last flush()
  std::vector<unsigned> used_;            // interfaces that frames were sent by
  std::optional<TimePoint> stuck_since_;  // the transmit queue is full
};

}  // namespace pier
