#include "scan/syn_sockets.h"

#include <fmt/core.h>
#include <net/if.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace pier {
namespace {

// Each round asks from another: an answer tells which probe it is of, and a firewall on the way that has kept
// the last one's state does not take the next for its repetition. One more is for checks and canaries.
constexpr std::size_t kPorts = 8;
// A transmit queue that does not move for so long never will.
constexpr Duration kHopeless = std::chrono::seconds(10);

std::string name_of(unsigned interface) {
  std::array<char, IF_NAMESIZE> name{};
  return ::if_indextoname(interface, name.data()) != nullptr ? name.data() : fmt::format("{}", interface);
}

std::string_view how_to_send(const Way& way) {
  if (!way.ethernet) return ", by a raw IP socket";
  return way.on_link ? ", in frames: each neighbour is asked for its MAC address, a packet more"
                     : ", in frames as soon as the next hop's MAC address is known";
}

void tell(StepSink* steps, std::string call, std::string text) {
  if (steps == nullptr) return;
  steps->step({.call = std::move(call), .text = std::move(text), .result = "ok", .fields = {}});
}

// The packet socket does all that the ring does, at a higher cost: without it nothing is amiss.
void use_ring(PacketSender& sender, Ways& ways, const SynSocketsOptions& options) {
  if (!options.first) return;
  const Way& way = ways.to(*options.first);
  if (way.code != 0 || !way.ethernet) return;
  const auto done = sender.use_ring(way.ethernet->index);
  tell(options.steps, "socket",
       done ? fmt::format("AF_XDP in copy mode: frames by {} go by a ring in memory", name_of(way.interface))
            : fmt::format("no AF_XDP for {} ({}): the packet socket does it", name_of(way.interface),
                          done.error().message()));
}

}  // namespace

Result<std::unique_ptr<SynSockets>> SynSockets::open(SynSocketsOptions options) {
  auto cookie = FlowCookie::make();
  if (!cookie) return std::unexpected(cookie.error());
  auto ways = Ways::make({.source = options.source.address, .interface = options.source.interface});
  if (!ways) return std::unexpected(ways.error());
  auto sender = PacketSender::open(options.ipv4, options.ipv6, options.source.interface);
  if (!sender) return std::unexpected(sender.error());
  tell(options.steps, "socket",
       "a packet socket for frames over Ethernet, raw IP sockets for everything else");
  use_ring(*sender, *ways, options);
  auto ports = SourcePorts::reserve(options.source.port, kPorts);
  if (!ports) return std::unexpected(ports.error());
  std::string numbers;
  for (const std::uint16_t port : ports->numbers()) numbers += fmt::format(" {}", port);
  tell(options.steps, "bind",
       "source ports kept from other programs, neither listening nor connected:" + numbers);
  std::unique_ptr<SynSockets> sockets(
      new SynSockets(std::move(options), std::move(*ports), *cookie, std::move(*ways), std::move(*sender)));
  for (const auto& [wanted, family] :
       {std::pair(sockets->options_.ipv4, Family::ipv4), std::pair(sockets->options_.ipv6, Family::ipv6)}) {
    if (!wanted) continue;
    auto receiver = SynReceiver::open(family, sockets->ports_.numbers());
    if (!receiver) return std::unexpected(receiver.error());
    sockets->receivers_.push_back(std::move(*receiver));
    auto asker = NeighbourSocket::open(family);
    if (!asker) return std::unexpected(asker.error());
    sockets->askers_.push_back(std::move(*asker));
    tell(sockets->options_.steps, "setsockopt",
         fmt::format("SO_ATTACH_FILTER and PACKET_RX_RING: {} answers to those ports, and ICMP errors; {}",
                     to_string(family), family == Family::ipv4 ? "ARP replies" : "Neighbor Advertisements"));
  }
  return sockets;
}

void SynSockets::queue(const SynProbe& probe, std::vector<SynFault>& faults) {
  const Way& way = ways_.to(probe.address);
  if (way.code != 0) {
    faults.push_back({probe.tag, way.code});
    return;
  }
  if (std::ranges::find(used_, way.interface, &Used::index) == used_.end()) {
    used_.push_back({way.interface, name_of(way.interface)});
    if (options_.steps != nullptr)
      tell(options_.steps, "route",
           fmt::format("{} goes out by {} from {}{}", probe.address.to_string(), name_of(way.interface),
                       way.source.to_string(), how_to_send(way)));
  }
  std::optional<MacAddress> next;
  if (way.ethernet && way.on_link) {
    next = find_on_link(way, probe);
    if (!next) return;
  } else if (way.ethernet) {
    next = ways_.neighbour(way, probe.address);
  }
  const Flow flow{way.source, ports_.numbers()[probe.lane], probe.address, probe.port};
  SynPacket packet;
  const std::size_t size = write_syn(packet, flow, cookie_.of(flow), clock_);
  sender_.add(probe.tag, packet, size, way, next, probe.address);
}

bool SynSockets::flush(std::vector<SynFault>& faults) {
  failures_.clear();
  clock_ = timestamp();
  const std::size_t before = sender_.left();
  bool all = sender_.flush(failures_);
  if (sender_.left() < before) stuck_since_.reset();
  stuck_interface_ = sender_.stuck_interface();
  for (const SendFailure& failure : failures_) {
    note_failure(failure.interface, failure.code);
    faults.push_back({failure.tag, failure.code});
  }
  all = ask_first(faults) && all;
  if (all)
    stuck_since_.reset();
  else if (!stuck_since_)
    stuck_since_ = now();
  return all && can_hold();
}

std::uint32_t SynSockets::timestamp() {
  return static_cast<std::uint32_t>(now().time_since_epoch() / std::chrono::milliseconds(1));
}

void SynSockets::note_failure(unsigned interface, int code) {
  const bool gone = code == ENETDOWN || code == ENODEV || code == ENXIO;
  if (!gone || trouble_) return;
  trouble_ = interface_trouble(interface);
  // It may be back already, or its number be another's: that packet is lost all the same.
  if (!trouble_) trouble_ = system_error("send", known_name(interface), code, ErrorKind::local).error();
}

std::string SynSockets::known_name(unsigned interface) const {
  const auto used = std::ranges::find(used_, interface, &Used::index);
  return used != used_.end() ? used->name : name_of(interface);
}

std::optional<Error> SynSockets::interface_trouble(unsigned interface) const {
  const std::string why = ways_.trouble(interface);
  if (why.empty()) return std::nullopt;
  return fail(ErrorKind::local, "interface", known_name(interface), why).error();
}

std::optional<Error> SynSockets::trouble() {
  follow_changes();
  if (trouble_) return trouble_;
  // One that is down takes raw packets and drops them, and nothing comes in by it.
  for (const auto& [interface, name] : used_)
    if (auto found = interface_trouble(interface)) return found;
  if (!stuck_since_ || now() < *stuck_since_ + kHopeless) return std::nullopt;
  return fail(ErrorKind::local, "send", known_name(stuck_interface_),
              "its transmit queue has been full for 10 s")
      .error();
}

std::optional<std::size_t> SynSockets::lane_of(std::uint16_t port) const {
  const auto found = std::ranges::find(ports_.numbers(), port);
  if (found == ports_.numbers().end()) return std::nullopt;
  return static_cast<std::size_t>(found - ports_.numbers().begin());
}

void SynSockets::take(std::vector<SynAnswer>& answers) {
  take_neighbours();
  for (SynReceiver& receiver : receivers_)
    receiver.take([&](const SynReply& reply, TimePoint at) {
      const auto lane = lane_of(reply.flow.local_port);
      if (!lane || reply.sequence != cookie_.of(reply.flow)) return;
      answers.push_back({.kind = reply.kind,
                         .address = reply.flow.remote,
                         .port = reply.flow.remote_port,
                         .lane = *lane,
                         .icmp = reply.icmp,
                         .at = at});
    });
}

std::uint64_t SynSockets::take_drops() {
  std::uint64_t drops = 0;
  for (SynReceiver& receiver : receivers_) drops += receiver.take_drops();
  for (NeighbourSocket& asker : askers_) drops += asker.take_drops();
  return drops;
}

bool SynSockets::wait(const Deadline& until) {
  std::array<pollfd, 8> fds{};
  std::size_t count = 0;
  for (const int fd : options_.wake_fds) fds[count++] = {fd, POLLIN, 0};
  const std::size_t wakes = count;
  for (const SynReceiver& receiver : receivers_) fds[count++] = {receiver.fd(), POLLIN, 0};
  for (const NeighbourSocket& asker : askers_) fds[count++] = {asker.fd(), POLLIN, 0};
  timespec left{};
  const Duration wait = until.never() ? Duration::max() : std::max(*until.at() - now(), Duration::zero());
  left.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(wait).count();
  left.tv_nsec = (wait % std::chrono::seconds(1)).count();
  // A signal that interrupts it is told by its descriptor.
  if (::ppoll(fds.data(), count, until.never() ? nullptr : &left, nullptr) <= 0) return false;
  for (const pollfd& one : std::span(fds).first(wakes))
    if ((one.revents & POLLHUP) != 0) std::erase(options_.wake_fds, one.fd);
  return std::ranges::any_of(std::span(fds).first(wakes), [](const pollfd& p) { return p.revents != 0; });
}

}  // namespace pier
