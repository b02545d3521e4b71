// SYNs by this host's sockets: packet sockets on Ethernet, raw IP sockets elsewhere.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/error.h"
#include "net/step.h"
#include "packet/flow.h"
#include "packet/neighbour_socket.h"
#include "packet/neighbours.h"
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
  [[nodiscard]] std::size_t room() const override { return can_hold() ? sender_.room() : 0; }
  void queue(const SynProbe& probe, std::vector<SynFault>& faults) override;
  [[nodiscard]] Resumed resume(std::size_t most, std::vector<SynFault>& faults) override;
  [[nodiscard]] bool can_resume() const override { return neighbours_.is_any_ready(); }
  [[nodiscard]] std::vector<std::uint64_t> take_unsent() override { return std::exchange(unsent_, {}); }
  [[nodiscard]] Duration longest_kept() const override { return Neighbours::kLongestHold; }
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

  [[nodiscard]] std::string known_name(unsigned interface) const;
  [[nodiscard]] std::optional<Error> interface_trouble(unsigned interface) const;
  // Whether a whole batch may have to wait for neighbours.
  [[nodiscard]] bool can_hold() const { return neighbours_.room() >= PacketSender::kBatch; }
  // The clock of TCP's timestamp option, in milliseconds.
  [[nodiscard]] static std::uint32_t timestamp();
  void note_failure(unsigned interface, int code);
  [[nodiscard]] std::optional<std::size_t> lane_of(std::uint16_t port) const;

  // syn_sockets_neighbours.cc.
  // Without an address, the probe waits for it.
  [[nodiscard]] std::optional<MacAddress> find_on_link(const Way& way, const SynProbe& probe);
  // False when the transmit queue is full.
  [[nodiscard]] bool ask(const NeighbourKey& key, std::vector<SynFault>& faults);
  [[nodiscard]] bool ask_first(std::vector<SynFault>& faults);
  void take_neighbours();
  void follow_changes();

  SynSocketsOptions options_;
  SourcePorts ports_;
  FlowCookie cookie_;
  Ways ways_;
  PacketSender sender_;
  std::vector<SynReceiver> receivers_;
  std::vector<NeighbourSocket> askers_;
  Neighbours neighbours_;
  std::vector<SendFailure> failures_;
  std::optional<Error> trouble_;
  std::uint32_t clock_ = timestamp();  // as of the last flush()
  struct Used {
    unsigned index;
    std::string name;  // as long as it was there
  };
  std::vector<Used> used_;                // interfaces that packets went by
  std::vector<std::uint64_t> unsent_;     // tags of probes that were kept and dropped
  std::optional<TimePoint> stuck_since_;  // the transmit queue has taken nothing
  unsigned stuck_interface_ = 0;
  TimePoint now_ = now();  // as of the last resume()
};

}  // namespace pier
