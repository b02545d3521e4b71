#include "host/sock_diag.h"

#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <unordered_map>

#include "host/sock_diag_read.h"

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

struct Request {
  alignas(nlmsghdr) std::array<std::byte, 512> bytes{};
  [[nodiscard]] nlmsghdr* header() { return reinterpret_cast<nlmsghdr*>(bytes.data()); }
};

void put_header(Request& request) {
  nlmsghdr* header = mnl_nlmsg_put_header(request.bytes.data());
  header->nlmsg_type = SOCK_DIAG_BY_FAMILY;
  header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
}

constexpr std::uint8_t extension(int attribute) {
  return static_cast<std::uint8_t>(1U << (attribute - 1));
}

// `protocol`: IPPROTO_TCP, _UDP or _MPTCP. The last is too large for its field, and stands in an attribute.
// The field then names a protocol whose sockets are no TCP, for kernels that pass over the attribute.
Request inet_request(int protocol, Family family, const SocketQuery& query) {
  Request built;
  put_header(built);
  auto* request =
      static_cast<inet_diag_req_v2*>(mnl_nlmsg_put_extra_header(built.header(), sizeof(inet_diag_req_v2)));
  request->sdiag_family = static_cast<std::uint8_t>(domain_of(family));
  request->sdiag_protocol = static_cast<std::uint8_t>(protocol > UINT8_MAX ? int{IPPROTO_RAW} : protocol);
  request->idiag_states = kEveryState;
  if (query.details) request->idiag_ext = extension(INET_DIAG_SKMEMINFO) | extension(INET_DIAG_INFO);
  if (protocol > UINT8_MAX)
    mnl_attr_put_u32(built.header(), INET_DIAG_REQ_PROTOCOL, static_cast<std::uint32_t>(protocol));
  if (query.local_port) {
    const auto filter = port_filter(*query.local_port);
    mnl_attr_put(built.header(), INET_DIAG_REQ_BYTECODE, sizeof filter, filter.data());
  }
  return built;
}

Request unix_request() {
  Request built;
  put_header(built);
  auto* request =
      static_cast<unix_diag_req*>(mnl_nlmsg_put_extra_header(built.header(), sizeof(unix_diag_req)));
  request->sdiag_family = AF_UNIX;
  request->udiag_states = kEveryState;
  request->udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN | UDIAG_SHOW_UID;
  return built;
}

struct Collector {
  Transport transport;
  std::vector<SocketInfo>& sockets;
};

// One socket. What is too short, or of a family nobody asked for, ends the reading.
int collect(const nlmsghdr* header, void* data) {
  auto& collector = *static_cast<Collector*>(data);
  SocketInfo& socket = collector.sockets.emplace_back();
  socket.transport = collector.transport;
  const bool read = collector.transport == Transport::unix_stream ? read_unix_message(header, socket)
                                                                  : read_inet_message(header, socket);
  if (!read) collector.sockets.pop_back();
  return read ? MNL_CB_OK : MNL_CB_ERROR;
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

// The kernel tells a peer's inode; its name stands with the peer itself.
void name_peers(std::vector<SocketInfo>& sockets) {
  std::unordered_map<std::uint64_t, const SocketInfo*> by_inode;
  for (const SocketInfo& socket : sockets) by_inode.emplace(socket.inode, &socket);
  for (SocketInfo& socket : sockets) {
    const auto peer = by_inode.find(socket.peer);
    if (socket.peer != 0 && peer != by_inode.end()) socket.remote = peer->second->local;
  }
}

}  // namespace

struct SockDiag::State {
  struct alignas(nlmsghdr) Block {
    std::array<std::byte, kReplySize> bytes;
  };

  Netlink netlink;
  std::uint32_t sequence = 0;
  const std::unique_ptr<Block> block = std::make_unique_for_overwrite<Block>();

  Result<std::vector<SocketInfo>> dump_once(Request& request, Transport transport) {
    if (!netlink) {
      auto opened = open_netlink();
      if (!opened) return std::unexpected(opened.error());
      netlink = *std::move(opened);
    }
    request.header()->nlmsg_seq = ++sequence;
    if (mnl_socket_sendto(netlink.get(), request.bytes.data(), request.header()->nlmsg_len) < 0) {
      return system_error("send", "sock_diag", errno, ErrorKind::local);
    }
    std::vector<SocketInfo> sockets;
    for (;;) {
      const ssize_t n = mnl_socket_recvfrom(netlink.get(), block->bytes.data(), block->bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return system_error("receive", "sock_diag", errno, ErrorKind::local);
      const auto reply =
          parse_diag_replies(std::span(block->bytes).first(static_cast<std::size_t>(n)), sequence,
                             mnl_socket_get_portid(netlink.get()), transport, sockets);
      if (!reply) return std::unexpected(reply.error());
      if (*reply == DiagReply::done) return sockets;
    }
  }

  Result<std::vector<SocketInfo>> dump(Request request, Transport transport) {
    for (int attempt = 1;; ++attempt) {
      auto sockets = dump_once(request, transport);
      if (sockets) return sockets;
      netlink.reset();  // what is left of a disturbed dump is lost with it
      if (sockets.error().code != EINTR || attempt == kAttempts) return sockets;
    }
  }
};

SockDiag::SockDiag() : state_(std::make_unique<State>()) {}
SockDiag::~SockDiag() = default;

Result<std::vector<SocketInfo>> SockDiag::inet(Transport transport, Family family, const SocketQuery& query) {
  const int protocol = transport == Transport::tcp ? IPPROTO_TCP : IPPROTO_UDP;
  return state_->dump(inet_request(protocol, family, query), transport);
}

Result<std::vector<SocketInfo>> SockDiag::mptcp(Family family, const SocketQuery& query) {
  SocketQuery plain = query;
  plain.details = false;  // the information is of another form than TCP's
  return state_->dump(inet_request(IPPROTO_MPTCP, family, plain), Transport::tcp);
}

Result<std::vector<SocketInfo>> SockDiag::unix_sockets() {
  auto sockets = state_->dump(unix_request(), Transport::unix_stream);
  if (sockets) name_peers(*sockets);
  return sockets;
}

Result<std::vector<SocketInfo>> dump_sockets(Transport transport, Family family, const SocketQuery& query) {
  return SockDiag().inet(transport, family, query);
}

Result<DiagReply> parse_diag_replies(std::span<const std::byte> bytes, std::uint32_t sequence,
                                     std::uint32_t port_id, Transport transport,
                                     std::vector<SocketInfo>& sockets) {
  if (!lengths_fit(bytes)) return system_error("sock_diag", "", EBADMSG, ErrorKind::local);
  Collector collector{transport, sockets};
  const int verdict = mnl_cb_run(bytes.data(), bytes.size(), sequence, port_id, collect, &collector);
  if (verdict == MNL_CB_ERROR) return system_error("sock_diag", "", errno, ErrorKind::local);
  return verdict == MNL_CB_STOP ? DiagReply::done : DiagReply::more;
}

}  // namespace pier
