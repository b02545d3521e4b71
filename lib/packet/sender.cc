#include "packet/sender.h"

#include <net/ethernet.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "net/icmp_error.h"
#include "net/socket.h"

namespace pier {
namespace {

Result<Fd> open_raw(int domain, const std::string& interface) {
  // IPPROTO_RAW: we write the IP header, and nothing is received.
  Fd fd(::socket(domain, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW));
  if (!fd.valid()) return system_error("socket", "raw", errno, ErrorKind::local);
  if (!interface.empty() && ::setsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, interface.c_str(),
                                         static_cast<socklen_t>(interface.size())) != 0)
    return system_error("SO_BINDTODEVICE", interface, errno, ErrorKind::local);
  keep_icmp_errors(fd, domain, true);  // for ENOBUFS: a socket of IPPROTO_RAW gets no errors of ICMP
  return fd;
}

Result<Fd> open_frames() {
  // Protocol 0: nothing is received.
  Fd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return system_error("socket", "packet", errno, ErrorKind::local);
  if (auto set = set_option(fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1, "PACKET_QDISC_BYPASS"); !set)
    return std::unexpected(set.error());
  return fd;
}

}  // namespace

bool is_missing_right(const Error& error) {
  return error.op == "socket" && (error.code == EPERM || error.code == EACCES);
}

PacketSender::Lane::Lane(Fd socket) : fd(std::move(socket)) {
  for (std::size_t i = 0; i < kBatch; ++i) {
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
    messages[i].msg_hdr.msg_name = &slots[i].to;
  }
}

Result<PacketSender> PacketSender::open(bool ipv4, bool ipv6, const std::string& interface) {
  PacketSender sender;
  auto frames = open_frames();
  if (!frames) return std::unexpected(frames.error());
  sender.frames_ = std::make_unique<Lane>(std::move(*frames));
  for (const auto& [wanted, domain, at] : {std::tuple(ipv4, AF_INET, 0U), std::tuple(ipv6, AF_INET6, 1U)}) {
    if (!wanted) continue;
    auto raw = open_raw(domain, interface);
    if (!raw) return std::unexpected(raw.error());
    sender.raw_[at] = std::make_unique<Lane>(std::move(*raw));
  }
  return sender;
}

Result<void> PacketSender::use_ring(unsigned interface) {
  auto ring = FrameRing::open(interface);
  if (!ring) return std::unexpected(ring.error());
  ring_ = std::move(*ring);
  return {};
}

std::size_t PacketSender::room() const {
  const std::size_t room = kBatch - queued_;
  return ring_ ? std::min(room, ring_->room()) : room;
}

void PacketSender::add(std::uint64_t tag, const SynPacket& packet, std::size_t size, const Way& way,
                       const std::optional<MacAddress>& next, const IpAddress& remote) {
  const bool v4 = remote.family() == Family::ipv4;
  const std::uint16_t protocol = v4 ? ETHERTYPE_IP : ETHERTYPE_IPV6;
  const bool framed = way.ethernet && next;
  const auto write_frame = [&](std::uint8_t* to) {
    std::memcpy(to, next->data(), next->size());
    std::memcpy(to + 6, way.ethernet->address.data(), way.ethernet->address.size());
    to[12] = static_cast<std::uint8_t>(protocol >> 8);
    to[13] = static_cast<std::uint8_t>(protocol);
    std::memcpy(to + kFrameHeader, packet.data(), size);
    return kFrameHeader + size;
  };
  ++queued_;
  if (framed && ring_ && ring_->interface() == way.ethernet->index)
    return ring_->add(tag, write_frame(ring_->next()));
  Lane& lane = framed ? *frames_ : *raw_[v4 ? 0 : 1];
  Slot& slot = lane.slots[lane.end];
  slot.tag = tag;
  slot.interface = way.interface;
  socklen_t name = 0;
  std::size_t length = size;
  if (framed) {
    length = write_frame(slot.bytes.data());
    slot.to.link = {};
    slot.to.link.sll_family = AF_PACKET;
    slot.to.link.sll_protocol = htons(protocol);
    slot.to.link.sll_ifindex = static_cast<int>(way.ethernet->index);
    name = sizeof slot.to.link;
  } else {
    std::memcpy(slot.bytes.data(), packet.data(), size);
    if (v4) {
      slot.to.v4 = {};
      slot.to.v4.sin_family = AF_INET;
      std::memcpy(&slot.to.v4.sin_addr, remote.bytes().data(), 4);
      name = sizeof slot.to.v4;
    } else {
      slot.to.v6 = {};
      slot.to.v6.sin6_family = AF_INET6;
      slot.to.v6.sin6_scope_id = remote.zone();
      std::memcpy(&slot.to.v6.sin6_addr, remote.bytes().data(), 16);
      name = sizeof slot.to.v6;
    }
  }
  lane.parts[lane.end] = {slot.bytes.data(), length};
  lane.messages[lane.end].msg_hdr.msg_namelen = name;
  ++lane.end;
}

bool PacketSender::flush_lane(Lane& lane, std::vector<SendFailure>& failures) {
  while (lane.first < lane.end) {
    const auto count = static_cast<unsigned>(lane.end - lane.first);
    const int sent =
        retry_eintr([&] { return ::sendmmsg(lane.fd.get(), &lane.messages[lane.first], count, 0); });
    if (sent > 0) {
      lane.first += static_cast<std::size_t>(sent);
      continue;
    }
    if (errno == ENOBUFS || errno == EAGAIN || errno == ENOMEM) return false;
    const Slot& slot = lane.slots[lane.first++];
    failures.push_back({slot.tag, slot.interface, errno});
  }
  lane.first = lane.end = 0;
  return true;
}

bool PacketSender::flush(std::vector<SendFailure>& failures) {
  bool all = true;
  for (Lane* lane : lanes())
    if (lane != nullptr && !flush_lane(*lane, failures)) all = false;
  if (ring_ && !ring_->flush(failures)) all = false;
  if (ring_ && ring_->broken()) ring_.reset();
  if (all) queued_ = 0;
  // Frames that the interface has not given back yet are no room.
  return all && room() > 0;
}

std::size_t PacketSender::left() const {
  std::size_t left = ring_ ? ring_->queued() : 0;
  for (const Lane* lane : lanes())
    if (lane != nullptr) left += lane->end - lane->first;
  return left;
}

unsigned PacketSender::stuck_interface() const {
  for (const Lane* lane : lanes())
    if (lane != nullptr && lane->first < lane->end) return lane->slots[lane->first].interface;
  return ring_ ? ring_->interface() : 0;
}

}  // namespace pier
