#include "host/sock_diag.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <memory>

namespace pier {
namespace {

// Wide enough for the kernel's largest datagram of a dump (32 KiB since Linux 3.11).
constexpr std::size_t kReplySize = 65536;
// How often a disturbed dump is made again before it is an error.
constexpr int kAttempts = 8;
// Every state of SocketState. Kernels before 6.8 do not know the bit of `bound` and pass over it.
constexpr std::uint32_t kEveryState = (1U << (static_cast<unsigned>(SocketState::bound) + 1)) - 1;

struct CloseNetlink {
  void operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
};
using Netlink = std::unique_ptr<mnl_socket, CloseNetlink>;

Result<Netlink> open_netlink() {
  Netlink socket(mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC));
  if (!socket) return system_error("socket", "sock_diag", errno, ErrorKind::local);
  if (mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0) {
    return system_error("bind", "sock_diag", errno, ErrorKind::local);
  }
  return socket;
}

// "local port >= port and local port <= port" as the kernel's filter program: comparisons of two words, the
// port in the second; `yes` and `no` are how far to jump on, and past the end by one word is "leave it out".
// (An equality test exists since Linux 4.16 only.)
std::array<inet_diag_bc_op, 4> port_filter(std::uint16_t port) {
  constexpr std::uint8_t kStep = 2 * sizeof(inet_diag_bc_op);
  constexpr std::uint16_t kPastEnd = 2 * kStep + 4;
  return {{{.code = INET_DIAG_BC_S_GE, .yes = kStep, .no = kPastEnd},
           {.code = 0, .yes = 0, .no = port},
           {.code = INET_DIAG_BC_S_LE, .yes = kStep, .no = kPastEnd - kStep},
           {.code = 0, .yes = 0, .no = port}}};
}

void build_request(std::byte* buffer, Transport transport, Family family, const SocketQuery& query,
                   std::uint32_t sequence) {
  nlmsghdr* header = mnl_nlmsg_put_header(buffer);
  header->nlmsg_type = SOCK_DIAG_BY_FAMILY;
  header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  header->nlmsg_seq = sequence;
  auto* request =
      static_cast<inet_diag_req_v2*>(mnl_nlmsg_put_extra_header(header, sizeof(inet_diag_req_v2)));
  request->sdiag_family = static_cast<std::uint8_t>(domain_of(family));
  request->sdiag_protocol = transport == Transport::tcp ? IPPROTO_TCP : IPPROTO_UDP;
  request->idiag_states = kEveryState;
  if (query.local_port) {
    const auto filter = port_filter(*query.local_port);
    mnl_attr_put(header, INET_DIAG_REQ_BYTECODE, sizeof filter, filter.data());
  }
}

SocketAddress address_of(Family family, const __be32 (&words)[4], __be16 port, std::uint32_t interface) {
  std::array<std::uint8_t, 16> bytes;
  std::memcpy(bytes.data(), words, bytes.size());
  const bool link_local = family == Family::ipv6 && bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
  const IpAddress ip(family, std::span(bytes).first(family == Family::ipv4 ? 4 : 16),
                     link_local ? interface : 0);
  return {ip, ntohs(port)};
}

struct Collector {
  Transport transport;
  std::vector<SocketInfo>& sockets;
};

int read_attribute(const nlattr* attribute, void* data) {
  if (mnl_attr_get_type(attribute) == INET_DIAG_SKV6ONLY && mnl_attr_get_payload_len(attribute) >= 1) {
    static_cast<SocketInfo*>(data)->v6only = mnl_attr_get_u8(attribute) != 0;
  }
  return MNL_CB_OK;
}

// One socket. What is too short, or of a family nobody asked for, ends the reading.
int collect(const nlmsghdr* header, void* data) {
  auto& collector = *static_cast<Collector*>(data);
  inet_diag_msg message;
  if (mnl_nlmsg_get_payload_len(header) < sizeof message) {
    errno = EBADMSG;
    return MNL_CB_ERROR;
  }
  std::memcpy(&message, mnl_nlmsg_get_payload(header), sizeof message);
  const bool ipv4 = message.idiag_family == AF_INET;
  const bool known_state =
      message.idiag_state >= 1 && message.idiag_state <= static_cast<unsigned>(SocketState::bound);
  if ((!ipv4 && message.idiag_family != AF_INET6) || !known_state) {
    errno = EBADMSG;
    return MNL_CB_ERROR;
  }
  SocketInfo socket;
  socket.transport = collector.transport;
  socket.family = ipv4 ? Family::ipv4 : Family::ipv6;
  socket.local = address_of(socket.family, message.id.idiag_src, message.id.idiag_sport, message.id.idiag_if);
  socket.remote =
      address_of(socket.family, message.id.idiag_dst, message.id.idiag_dport, message.id.idiag_if);
  socket.state = static_cast<SocketState>(message.idiag_state);
  // The only closed TCP sockets in a dump are those asked for by the bit of `bound`.
  if (collector.transport == Transport::tcp && socket.state == SocketState::close) {
    socket.state = SocketState::bound;
  }
  socket.uid = message.idiag_uid;
  socket.inode = message.idiag_inode;
  mnl_attr_parse(header, sizeof message, read_attribute, &socket);
  collector.sockets.push_back(socket);
  return MNL_CB_OK;
}

// Whether no message says it is longer than what is left. libmnl compares lengths as signed numbers, and so
// would let one of 2 GiB and more pass.
bool lengths_fit(std::span<const std::byte> bytes) {
  while (bytes.size() >= sizeof(nlmsghdr)) {
    std::uint32_t length = 0;
    std::memcpy(&length, bytes.data() + offsetof(nlmsghdr, nlmsg_len), sizeof length);
    if (length < sizeof(nlmsghdr) || length > bytes.size()) return false;
    bytes = bytes.subspan(std::min<std::size_t>(MNL_ALIGN(length), bytes.size()));
  }
  return true;
}

Result<std::vector<SocketInfo>> dump_once(mnl_socket* netlink, Transport transport, Family family,
                                          const SocketQuery& query, std::uint32_t sequence) {
  alignas(nlmsghdr) std::array<std::byte, 512> request{};
  build_request(request.data(), transport, family, query, sequence);
  if (mnl_socket_sendto(netlink, request.data(), reinterpret_cast<nlmsghdr*>(request.data())->nlmsg_len) <
      0) {
    return system_error("send", "sock_diag", errno, ErrorKind::local);
  }
  struct alignas(nlmsghdr) Block {
    std::array<std::byte, kReplySize> bytes;
  };
  const auto block = std::make_unique<Block>();
  std::vector<SocketInfo> sockets;
  for (;;) {
    const ssize_t n = mnl_socket_recvfrom(netlink, block->bytes.data(), block->bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("receive", "sock_diag", errno, ErrorKind::local);
    const auto reply = parse_diag_replies(std::span(block->bytes).first(static_cast<std::size_t>(n)),
                                          sequence, mnl_socket_get_portid(netlink), transport, sockets);
    if (!reply) return std::unexpected(reply.error());
    if (*reply == DiagReply::done) return sockets;
  }
}

}  // namespace

Result<DiagReply> parse_diag_replies(std::span<const std::byte> bytes, std::uint32_t sequence,
                                     std::uint32_t port_id, Transport transport,
                                     std::vector<SocketInfo>& sockets) {
  if (!lengths_fit(bytes)) return system_error("sock_diag", "", EBADMSG, ErrorKind::local);
  Collector collector{transport, sockets};
  const int verdict = mnl_cb_run(bytes.data(), bytes.size(), sequence, port_id, collect, &collector);
  if (verdict == MNL_CB_ERROR) return system_error("sock_diag", "", errno, ErrorKind::local);
  return verdict == MNL_CB_STOP ? DiagReply::done : DiagReply::more;
}

Result<std::vector<SocketInfo>> dump_sockets(Transport transport, Family family, const SocketQuery& query) {
  for (std::uint32_t attempt = 1;; ++attempt) {
    const auto netlink = open_netlink();  // a new one: what is left of a disturbed dump is lost with the old
    if (!netlink) return std::unexpected(netlink.error());
    auto sockets = dump_once(netlink->get(), transport, family, query, attempt);
    if (!sockets && sockets.error().code == EINTR && attempt < kAttempts) continue;
    return sockets;
  }
}

}  // namespace pier
