#include "scan/socket_prober.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "net/socket.h"
#include "scan/probe_connect.h"
#include "scan/probe_udp.h"
#include "scan/udp_service.h"

namespace pier {
namespace {

// Stands for the interrupting descriptor among the places of probes.
constexpr std::uint64_t kInterrupt = UINT64_MAX;
// As many events are taken at a time; the rest is still there at the next call.
constexpr std::size_t kBatch = 256;

int errno_of(const Error& error) {
  return error.code != 0 ? error.code : EINVAL;
}

void explain_connect(StepSink* steps, int fd, const SocketAddress& target, std::string result) {
  if (steps == nullptr) return;
  steps->step({.call = "connect",
               .fd = fd,
               .text = target.to_string(),
               .result = std::move(result),
               .fields = {{"address", target.to_string()}, {"port", std::to_string(target.port())}}});
}

void explain_datagram(StepSink* steps, int fd, const SocketAddress& target, std::string result) {
  if (steps == nullptr) return;
  const UdpService* service = udp_service_at(target.port());
  const std::string_view what =
      service == nullptr ? "a line end, for no service is usual there" : service->name;
  steps->step({.call = "connect",
               .fd = fd,
               .text = target.to_string() + ": names the peer and sends nothing: UDP has no connection",
               .result = "ok",
               .fields = {{"address", target.to_string()}, {"port", std::to_string(target.port())}}});
  steps->step({.call = "send",
               .fd = fd,
               .text = "a question to " + target.to_string() + ": " + std::string(what),
               .result = std::move(result),
               .fields = {{"address", target.to_string()}}});
}

void explain_end(StepSink* steps, int fd, const SocketAddress& target, const Judgement& judgement,
                 bool tcp = true) {
  if (steps == nullptr) return;
  const SocketAddress own = local_address(fd);
  const bool bound = own.is_ip() && own.port() != 0;
  steps->step({.call = tcp ? "connect" : "recv",
               .fd = fd,
               .text = bound ? target.to_string() + " from " + own.to_string() : target.to_string(),
               .result = judgement.reason,
               .fields = {{"address", target.to_string()},
                          {"local_port", std::to_string(bound ? own.port() : 0)},
                          {"state", std::string(to_string(judgement.state))}}});
  const bool connected =
      tcp && judgement.kind == Judgement::Kind::verdict && judgement.state == PortState::open;
  steps->step({.call = "close",
               .fd = fd,
               .text = connected ? target.to_string() + ": by a reset, nothing was sent" : target.to_string(),
               .result = "ok",
               .fields = {{"address", target.to_string()}}});
}

}  // namespace

SocketProber::SocketProber(SocketProberOptions options, Fd epoll)
    : options_(std::move(options)), epoll_(std::move(epoll)), sweep_(options_.source, options_.threads) {}

Result<std::unique_ptr<SocketProber>> SocketProber::make(SocketProberOptions options) {
  Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return system_error("epoll_create1", "", errno, ErrorKind::local);
  if (options.interrupt_fd >= 0) {
    epoll_event event{.events = EPOLLIN, .data = {.u64 = kInterrupt}};
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, options.interrupt_fd, &event) != 0)
      return system_error("epoll_ctl", "", errno, ErrorKind::local);
  }
  return std::unique_ptr<SocketProber>(new SocketProber(std::move(options), std::move(epoll)));
}

Result<Fd> SocketProber::open(const ProbeRequest& request) {
  const auto once = [&] {
    return open_probe_socket(request.protocol, request.address.family(), options_.source, options_.steps);
  };
  auto fd = once();
  if (fd || (fd.error().code != EMFILE && fd.error().code != ENFILE)) return fd;
  sweep_.release();
  return once();
}

void SocketProber::send(const ProbeRequest& request) {
  if (request.near && request.protocol == PortProtocol::tcp && options_.steps == nullptr) {
    near_.push_back(request);
    return;
  }
  const SocketAddress target(request.address, request.port);
  TimePoint sent = now();
  auto fd = open(request);
  if (!fd)
    return end(request.tag, {.how = ConnectEnd::How::at_once, .code = errno_of(fd.error())}, {}, request.port,
               ready_);
  if (request.protocol == PortProtocol::udp) return send_datagram(request, std::move(*fd), target);
  const auto known = begin_connect(*fd, target);
  explain_connect(options_.steps, fd->get(), target,
                  !known             ? "no answer yet"
                  : known->code == 0 ? "ok"
                                     : errno_text(known->code));
  if (!known) return wait_for(request, std::move(*fd), sent, ready_);
  explain_end(options_.steps, fd->get(), target, judge(*known));
  end(request.tag, *known, now() - sent, request.port, ready_);
}

void SocketProber::send_datagram(const ProbeRequest& request, Fd fd, const SocketAddress& target) {
  const TimePoint sent = now();
  const auto known = begin_udp(fd, target);
  explain_datagram(options_.steps, fd.get(), target, known ? judge_datagram(*known).reason : "ok");
  if (!known) return wait_for(request, std::move(fd), sent, ready_);
  ready_.push_back({request.tag, judge_datagram(*known), now() - sent});
}

void SocketProber::wait_for(const ProbeRequest& request, Fd fd, TimePoint sent,
                            std::vector<ProbeEnd>& ended) {
  if (free_places_.empty()) {
    free_places_.push_back(probes_.size());
    probes_.emplace_back();
  }
  const std::size_t place = free_places_.back();
  const std::uint32_t events = request.protocol == PortProtocol::tcp ? EPOLLOUT : EPOLLIN;
  epoll_event event{.events = events, .data = {.u64 = place}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event) != 0)
    return end(request.tag, {.how = ConnectEnd::How::at_once, .code = errno}, {}, request.port, ended);
  free_places_.pop_back();
  ++waiting_;
  probes_[place] = Probe{.fd = std::move(fd),
                         .tag = request.tag,
                         .serial = ++serial_,
                         .protocol = request.protocol,
                         .target = SocketAddress(request.address, request.port),
                         .sent = sent};
  expiries_.push({sent + request.timeout, place, serial_});
}

// Where probes to this host wait for an answer, one that comes may have met another of them, both ends being
// ours (RFC 9293, section 3.5: simultaneous open).
Judgement SocketProber::judge_end(const ConnectEnd& end, std::uint16_t port) const {
  constexpr std::uint16_t kFirstEphemeral = 1024;  // the lowest a host may set
  Judgement judgement = judge(end);
  if (end.to_this_host && !end.to_itself && waiting_ > 1 && port >= kFirstEphemeral)
    judgement.kind = Judgement::Kind::to_itself;
  return judgement;
}

void SocketProber::end(std::uint64_t tag, const ConnectEnd& how, Duration took, std::uint16_t port,
                       std::vector<ProbeEnd>& ended) {
  ended.push_back({tag, judge_end(how, port), took});
}

void SocketProber::finish(std::size_t place, Judgement judgement, std::vector<ProbeEnd>& ended) {
  Probe& probe = probes_[place];
  explain_end(options_.steps, probe.fd.get(), probe.target, judgement, probe.protocol == PortProtocol::tcp);
  ended.push_back({probe.tag, std::move(judgement), now() - probe.sent});
  probe.fd.reset();
  probe.serial = 0;
  free_places_.push_back(place);
  --waiting_;
}

void SocketProber::sweep(std::vector<ProbeEnd>& ended) {
  sweep_.run(near_, swept_);
  for (ConnectSweep::Swept& one : swept_) {
    if (one.fd.valid())
      wait_for(*one.request, std::move(one.fd), one.sent, ended);
    else
      end(one.request->tag, one.end, one.took, one.request->port, ended);
  }
  swept_.clear();
  near_.clear();
}

int SocketProber::wait_ms(const Deadline& until) const {
  std::optional<TimePoint> at = until.at();
  if (!expiries_.empty()) at = at ? std::min(*at, expiries_.top().at) : expiries_.top().at;
  if (!at) return -1;
  // Rounded up, so that the deadline has passed when the wait is over.
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(std::max(*at - now(), Duration::zero()));
  return static_cast<int>(std::min<std::int64_t>(wait.count(), INT32_MAX));
}

void SocketProber::expire(std::vector<ProbeEnd>& ended) {
  const TimePoint when = now();
  while (!expiries_.empty()) {
    const Expiry first = expiries_.top();
    const bool still = probes_[first.place].serial == first.serial;
    if (still && first.at > when) return;
    expiries_.pop();
    if (!still) continue;
    const bool tcp = probes_[first.place].protocol == PortProtocol::tcp;
    finish(first.place, tcp ? judge({}) : judge_datagram({}), ended);
  }
}

bool SocketProber::collect(const Deadline& until, std::vector<ProbeEnd>& ended) {
  const std::size_t before = ended.size();
  std::ranges::move(ready_, std::back_inserter(ended));
  ready_.clear();
  if (!near_.empty()) sweep(ended);
  std::array<epoll_event, kBatch> events;
  const bool known = ended.size() > before;
  const int count = retry_eintr([&] {
    return ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                        known ? 0 : wait_ms(until));
  });
  if (count < 0) throw std::system_error(errno, std::generic_category(), "epoll_wait");
  bool interrupted = false;
  for (int i = 0; i < count; ++i) {
    const auto [what, data] = events[static_cast<std::size_t>(i)];
    const std::uint64_t place = data.u64;
    if (place == kInterrupt) {
      interrupted = true;
      continue;
    }
    const Probe& probe = probes_[place];
    if (probe.protocol == PortProtocol::udp) {
      if (const auto end = udp_outcome(probe.fd.get(), probe.target))
        finish(place, judge_datagram(*end), ended);
    } else if (const auto end = connect_outcome(probe.fd.get(), probe.target, (what & EPOLLHUP) != 0)) {
      finish(place, judge_end(*end, probe.target.port()), ended);
    }
  }
  expire(ended);
  return interrupted;
}

}  // namespace pier
