#include "scan/probe_connect.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "net/icmp_error.h"
#include "net/socket.h"

namespace pier {
namespace {

// Stands for the interrupting descriptor among the places of probes.
constexpr std::uint64_t kInterrupt = UINT64_MAX;
// As many events are taken at a time; the rest is still there at the next call.
constexpr std::size_t kBatch = 256;

int errno_of(const Error& error) {
  return error.code != 0 ? error.code : EINVAL;
}

Result<void> apply_source(const Fd& fd, Family family, const ProbeSource& source, StepSink* steps) {
  if (!source.interface.empty()) {
    const std::string& name = source.interface;
    if (::setsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, name.c_str(),
                     static_cast<socklen_t>(name.size() + 1)) != 0)
      return system_error("interface", quoted(name), errno, ErrorKind::local);
  }
  if (!source.address && source.port == 0) return {};
  if (source.port == 0) {
    // The port is then chosen on connecting, when one that is in use towards other targets will do (ip(7)).
    if (auto set = set_option(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1, "IP_BIND_ADDRESS_NO_PORT"); !set)
      return set;
  } else if (auto set = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR"); !set) {
    return set;
  }
  return bind_socket(fd, SocketAddress(source.address.value_or(IpAddress::any(family)), source.port), steps);
}

void explain_connect(StepSink* steps, int fd, const SocketAddress& target, std::string result) {
  if (steps == nullptr) return;
  steps->step({.call = "connect",
               .fd = fd,
               .text = target.to_string(),
               .result = std::move(result),
               .fields = {{"address", target.to_string()}, {"port", std::to_string(target.port())}}});
}

void explain_end(StepSink* steps, int fd, const SocketAddress& target, const Judgement& judgement) {
  if (steps == nullptr) return;
  const SocketAddress own = local_address(fd);
  const bool bound = own.is_ip() && own.port() != 0;
  steps->step({.call = "connect",
               .fd = fd,
               .text = bound ? target.to_string() + " from " + own.to_string() : target.to_string(),
               .result = judgement.reason,
               .fields = {{"address", target.to_string()},
                          {"local_port", std::to_string(bound ? own.port() : 0)},
                          {"state", std::string(to_string(judgement.state))}}});
  const bool connected = judgement.kind == Judgement::Kind::verdict && judgement.state == PortState::open;
  steps->step({.call = "close",
               .fd = fd,
               .text = connected ? target.to_string() + ": by a reset, nothing was sent" : target.to_string(),
               .result = "ok",
               .fields = {{"address", target.to_string()}}});
}

}  // namespace

Result<void> check_source(const ProbeSource& source, std::span<const Family> families) {
  for (const Family family : families) {
    const auto fd = open_socket(Transport::tcp, domain_of(family));
    if (!fd) return std::unexpected(fd.error());
    if (auto applied = apply_source(*fd, family, source, nullptr); !applied) return applied;
  }
  return {};
}

ConnectProber::ConnectProber(ConnectProbeOptions options)
    : options_(std::move(options)), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_.valid()) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  if (options_.interrupt_fd < 0) return;
  epoll_event event{.events = EPOLLIN, .data = {.u64 = kInterrupt}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, options_.interrupt_fd, &event) != 0)
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
}

Result<Fd> ConnectProber::prepare(const SocketAddress& target) {
  auto fd = open_socket(Transport::tcp, target.domain(), options_.steps);
  if (!fd) return fd;
  const Family family = target.domain() == AF_INET ? Family::ipv4 : Family::ipv6;
  keep_icmp_errors(*fd, target.domain(), true);
  reset_on_close(fd->get());
  if (auto applied = apply_source(*fd, family, options_.source, options_.steps); !applied)
    return std::unexpected(applied.error());
  return fd;
}

std::size_t ConnectProber::take_place() {
  if (free_places_.empty()) {
    probes_.emplace_back();
    return probes_.size() - 1;
  }
  const std::size_t place = free_places_.back();
  free_places_.pop_back();
  return place;
}

void ConnectProber::send(std::uint64_t tag, const IpAddress& address, std::uint16_t port) {
  const SocketAddress target(address, port);
  const std::size_t place = take_place();
  ++waiting_;
  auto fd = prepare(target);
  Probe& probe = probes_[place];
  probe = Probe{.fd = Fd(), .tag = tag, .serial = ++serial_, .target = target, .sent = now()};
  if (!fd) {
    return finish(place, {.how = ConnectEnd::How::at_once, .code = errno_of(fd.error())}, ready_);
  }
  probe.fd = std::move(*fd);
  const auto started = connect_socket(probe.fd, target);
  explain_connect(options_.steps, probe.fd.get(), target,
                  !started                              ? errno_text(started.error().code)
                  : *started == ConnectState::connected ? "ok"
                                                        : "no answer yet");
  if (!started) {
    // A refusal can come that fast, and an ICMP error with it.
    const int code = errno_of(started.error());
    return finish(
        place,
        {.how = ConnectEnd::How::at_once, .code = code, .icmp = take_icmp_error(probe.fd.get(), target)},
        ready_);
  }
  epoll_event event{.events = EPOLLOUT, .data = {.u64 = place}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, probe.fd.get(), &event) != 0)
    return finish(place, {.how = ConnectEnd::How::at_once, .code = errno}, ready_);
  expiries_.push_back({probe.sent + options_.timeout, place, probe.serial});
}

void ConnectProber::finish(std::size_t place, const ConnectEnd& end, std::vector<ProbeEnd>& ended) {
  Probe& probe = probes_[place];
  Judgement judgement = judge(end);
  if (probe.fd.valid()) explain_end(options_.steps, probe.fd.get(), probe.target, judgement);
  ended.push_back({probe.tag, std::move(judgement), now() - probe.sent});
  probe.fd.reset();
  probe.serial = 0;
  free_places_.push_back(place);
  --waiting_;
}

std::optional<ConnectEnd> ConnectProber::outcome(const Probe& probe, bool over) const {
  const int fd = probe.fd.get();
  ConnectEnd end{.how = ConnectEnd::How::later, .code = take_socket_error(fd)};
  SocketAddress peer;
  if (end.code == 0) {
    peer = peer_address(fd);
    // No peer: not connected yet, or a reset has come since the line above.
    if (!peer.is_ip()) end.code = take_socket_error(fd);
  }
  if (peer.is_ip()) {
    end.to_itself = local_address(fd) == peer;
    return end;
  }
  // Only after SO_ERROR, which taking the last message off the queue would clear.
  end.icmp = take_icmp_error(fd, probe.target);
  if (end.code != 0) return end;
  // A message that ends nothing (packet too big) leaves the attempt as it was.
  if (!over) return std::nullopt;
  end.how = ConnectEnd::How::silence;
  return end;
}

int ConnectProber::wait_ms(const Deadline& until) const {
  if (!ready_.empty()) return 0;
  std::optional<TimePoint> at = until.at();
  if (!expiries_.empty()) at = at ? std::min(*at, expiries_.front().at) : expiries_.front().at;
  if (!at) return -1;
  // Rounded up, so that the deadline has passed when the wait is over.
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(std::max(*at - now(), Duration::zero()));
  return static_cast<int>(std::min<std::int64_t>(wait.count(), INT32_MAX));
}

void ConnectProber::expire(std::vector<ProbeEnd>& ended) {
  const TimePoint when = now();
  while (!expiries_.empty()) {
    const Expiry& first = expiries_.front();
    const Probe& probe = probes_[first.place];
    const bool still = probe.serial == first.serial;
    if (still && first.at > when) return;
    const std::size_t place = first.place;
    expiries_.pop_front();
    if (still) finish(place, {.how = ConnectEnd::How::silence}, ended);
  }
}

bool ConnectProber::collect(const Deadline& until, std::vector<ProbeEnd>& ended) {
  std::array<epoll_event, kBatch> events;
  const int count = retry_eintr([&] {
    return ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait_ms(until));
  });
  if (count < 0) throw std::system_error(errno, std::generic_category(), "epoll_wait");
  ended.insert(ended.end(), std::make_move_iterator(ready_.begin()), std::make_move_iterator(ready_.end()));
  ready_.clear();
  bool interrupted = false;
  for (int i = 0; i < count; ++i) {
    const auto [what, data] = events[static_cast<std::size_t>(i)];
    const std::uint64_t place = data.u64;
    if (place == kInterrupt) {
      interrupted = true;
    } else if (const auto end = outcome(probes_[place], (what & EPOLLHUP) != 0)) {
      finish(place, *end, ended);
    }
  }
  expire(ended);
  return interrupted;
}

}  // namespace pier
