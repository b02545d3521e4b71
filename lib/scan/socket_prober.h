// Asks by sockets: one a probe, under one epoll; where the host answers at once, by a sweep before that.
#pragma once

#include <memory>
#include <queue>
#include <vector>

#include "base/fd.h"
#include "net/step.h"
#include "scan/connect_sweep.h"
#include "scan/prober.h"

namespace pier {

struct SocketProberOptions {
  ProbeSource source = {};
  int interrupt_fd = -1;      // ends collect() when readable; not owned; -1 for none
  StepSink* steps = nullptr;  // must outlive the prober; with it, every probe has a socket of its own
  unsigned threads = 1;       // for hosts that answer at once
};

class SocketProber final : public Prober {
 public:
  // ErrorKind::local when the kernel gives no epoll descriptor.
  [[nodiscard]] static Result<std::unique_ptr<SocketProber>> make(SocketProberOptions options);

  void send(const ProbeRequest& request) override;
  [[nodiscard]] std::size_t in_flight() const override { return waiting_ + near_.size() + ready_.size(); }
  [[nodiscard]] bool collect(const Deadline& until, std::vector<ProbeEnd>& ended) override;

 private:
  struct Probe {
    Fd fd;
    std::uint64_t tag = 0;
    std::uint64_t serial = 0;  // of the send, to tell a reused place from its predecessor
    PortProtocol protocol = PortProtocol::tcp;
    SocketAddress target;
    TimePoint sent;
  };
  struct Expiry {
    TimePoint at;
    std::size_t place;
    std::uint64_t serial;
    friend bool operator>(const Expiry& a, const Expiry& b) { return a.at > b.at; }
  };

  SocketProber(SocketProberOptions options, Fd epoll);

  [[nodiscard]] Result<Fd> open(const ProbeRequest& request);
  void send_datagram(const ProbeRequest& request, Fd fd, const SocketAddress& target);
  void wait_for(const ProbeRequest& request, Fd fd, TimePoint sent, std::vector<ProbeEnd>& ended);
  void end(std::uint64_t tag, const ConnectEnd& how, Duration took, std::uint16_t port,
           std::vector<ProbeEnd>& ended);
  void finish(std::size_t place, Judgement judgement, std::vector<ProbeEnd>& ended);
  void sweep(std::vector<ProbeEnd>& ended);
  [[nodiscard]] Judgement judge_end(const ConnectEnd& end, std::uint16_t port) const;
  [[nodiscard]] int wait_ms(const Deadline& until) const;
  void expire(std::vector<ProbeEnd>& ended);

  SocketProberOptions options_;
  Fd epoll_;
  ConnectSweep sweep_;
  std::vector<ProbeRequest> near_;  // for the next sweep
  std::vector<ConnectSweep::Swept> swept_;
  std::vector<Probe> probes_;
  std::vector<std::size_t> free_places_;
  std::priority_queue<Expiry, std::vector<Expiry>, std::greater<>> expiries_;
  std::vector<ProbeEnd> ready_;  // ended within send()
  std::size_t waiting_ = 0;
  std::uint64_t serial_ = 0;
};

}  // namespace pier
