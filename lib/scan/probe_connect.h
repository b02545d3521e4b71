// The probe that needs no privilege: connect(2), and a reset as soon as it is known how that ended.
#pragma once

#include <deque>
#include <span>
#include <vector>

#include "base/fd.h"
#include "net/step.h"
#include "scan/prober.h"

namespace pier {

struct ConnectProbeOptions {
  Duration timeout = std::chrono::seconds(1);  // without an answer, the probe ends by then
  ProbeSource source = {};
  int interrupt_fd = -1;      // ends collect() when readable; not owned; -1 for none
  StepSink* steps = nullptr;  // must outlive the prober
};

// Whether sockets of these families can be made, bound to the source and to the interface: an error that
// would otherwise end every probe alike is told once, before the first. ErrorKind::local.
[[nodiscard]] Result<void> check_source(const ProbeSource& source, std::span<const Family> families);

// Each probe is a socket of its own: non-blocking, close-on-exec, closed by a reset, so that neither end is
// left with a TIME_WAIT. The kernel repeats a SYN by itself after 1 s (RFC 6298), within a longer timeout.
class ConnectProber final : public Prober {
 public:
  // Throws std::system_error when the kernel gives no epoll descriptor.
  explicit ConnectProber(ConnectProbeOptions options);

  void send(std::uint64_t tag, const IpAddress& address, std::uint16_t port) override;
  [[nodiscard]] std::size_t in_flight() const override { return waiting_ + ready_.size(); }
  [[nodiscard]] bool collect(const Deadline& until, std::vector<ProbeEnd>& ended) override;

 private:
  struct Probe {
    Fd fd;
    std::uint64_t tag = 0;
    std::uint64_t serial = 0;  // of the send, to tell a reused place from its predecessor
    SocketAddress target;
    TimePoint sent;
  };
  struct Expiry {
    TimePoint at;
    std::size_t place;
    std::uint64_t serial;
  };

  [[nodiscard]] Result<Fd> prepare(const SocketAddress& target);
  [[nodiscard]] std::size_t take_place();
  void finish(std::size_t place, const ConnectEnd& end, std::vector<ProbeEnd>& ended);
  // nullopt while it goes on; `over` when the kernel says that the socket is closed.
  [[nodiscard]] std::optional<ConnectEnd> outcome(const Probe& probe, bool over) const;
  [[nodiscard]] int wait_ms(const Deadline& until) const;
  void expire(std::vector<ProbeEnd>& ended);

  ConnectProbeOptions options_;
  Fd epoll_;
  std::vector<Probe> probes_;
  std::vector<std::size_t> free_places_;
  std::deque<Expiry> expiries_;  // by time: the timeout is the same for all
  std::vector<ProbeEnd> ready_;  // ended within send()
  std::size_t waiting_ = 0;
  std::uint64_t serial_ = 0;
};

}  // namespace pier
