#include "net/socket.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <string_view>
#include <utility>

#include "base/number.h"

namespace pier {
namespace {

void tell(StepSink* steps, std::string_view call, const Fd& fd, std::string text, int code,
          std::vector<std::pair<std::string, std::string>> fields) {
  if (steps == nullptr) return;
  steps->step({.call = call,
               .fd = fd.get(),
               .text = std::move(text),
               .result = code == 0 ? "ok" : errno_text(code),
               .fields = std::move(fields)});
}

std::string_view domain_name(int domain) {
  switch (domain) {
    case AF_INET:
      return "IPv4";
    case AF_INET6:
      return "IPv6";
    case AF_UNIX:
      return "Unix sockets of this host";
    default:
      return "virtual machine sockets";
  }
}

std::string door(Transport transport, int domain) {
  const std::string net(domain_name(domain));
  switch (transport) {
    case Transport::tcp:
      return "a door for TCP over " + net;
    case Transport::udp:
      return "a door for UDP datagrams over " + net;
    case Transport::unix_stream:
      return "a door for a byte stream over " + net;
    case Transport::unix_dgram:
      return "a door for datagrams over " + net;
    case Transport::vsock:
      return "a door for a byte stream over " + net;
  }
  return "a door";
}

// net.ipv4.ip_unprivileged_port_start, which counts for IPv6 too; 1024 where it cannot be read.
std::uint16_t first_unprivileged_port() {
  constexpr std::uint16_t kDefault = 1024;
  const Fd file(::open("/proc/sys/net/ipv4/ip_unprivileged_port_start", O_RDONLY | O_CLOEXEC));
  char text[16];
  const ssize_t length =
      file.valid() ? retry_eintr([&] { return ::read(file.get(), text, sizeof text); }) : -1;
  if (length <= 1 || text[length - 1] != '\n') return kDefault;
  return parse_port_number({text, static_cast<std::size_t>(length) - 1}).value_or(kDefault);
}

Error bind_error(const SocketAddress& address, int code) {
  Error error{ErrorKind::local, "bind", address.to_string(), code, {}};
  if (code == EACCES && address.is_ip()) {
    const std::uint16_t first = first_unprivileged_port();
    if (address.port() < first) {
      const std::string number = std::to_string(first);
      error.why = "permission denied: ports below " + number + " need CAP_NET_BIND_SERVICE; any port from " +
                  number + " up needs nothing";
    }
  } else if (code == EADDRNOTAVAIL && address.is_ip()) {
    error.why = errno_text(code) + ": no interface of this host has it";
  }
  return error;
}

// What accept(2) tells to treat like EAGAIN: the error belongs to a connection that has gone.
bool is_gone_before_accept(int code) {
  switch (code) {
    case EAGAIN:
    case ECONNABORTED:
    case EPERM:  // a firewall rule of this host refused this one
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
      return true;
    default:
      return false;
  }
}

using NameCall = int (*)(int, sockaddr*, socklen_t*);

SocketAddress ask_address(NameCall call, int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (call(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
  return SocketAddress::from(storage, length);
}

}  // namespace

Result<Fd> open_socket(Transport transport, int domain, StepSink* steps, int protocol) {
  const int type = is_datagram(transport) ? SOCK_DGRAM : SOCK_STREAM;
  Fd fd(::socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  const int code = fd.valid() ? 0 : errno;
  const bool multipath = protocol == IPPROTO_MPTCP;
  std::string text = door(transport, domain);
  if (multipath) text += ", several paths (MPTCP)";
  if (fd.valid()) text += " (fd " + std::to_string(fd.get()) + ")";
  tell(steps, "socket", fd, std::move(text), code,
       {{"transport", std::string(to_string(transport))}, {"domain", std::string(domain_name(domain))}});
  if (multipath && (code == EPROTONOSUPPORT || code == ENOPROTOOPT || code == EINVAL))
    return fail(ErrorKind::local, "socket", "MPTCP",
                "this kernel has no Multipath TCP, or net.mptcp.enabled is 0");
  if (code != 0)
    return system_error("socket",
                        std::string(to_string(transport)) + " over " + std::string(domain_name(domain)), code,
                        ErrorKind::local);
  return fd;
}

Result<void> bind_socket(const Fd& fd, const SocketAddress& address, StepSink* steps) {
  const int code = ::bind(fd.get(), address.data(), address.size()) == 0 ? 0 : errno;
  const SocketAddress bound = code == 0 ? local_address(fd.get()) : address;
  std::string text = bound.to_string();
  std::vector<std::pair<std::string, std::string>> fields{{"address", text}};
  if (bound.is_ip()) fields.emplace_back("port", std::to_string(bound.port()));
  if (code == 0 && address.is_ip() && address.port() == 0)
    text += bound.port() != 0 ? ", the port chosen by the kernel" : ", the port to be chosen on connecting";
  tell(steps, "bind", fd, std::move(text), code, std::move(fields));
  if (code != 0) return std::unexpected(bind_error(address, code));
  return {};
}

Result<void> listen_socket(const Fd& fd, int backlog, StepSink* steps) {
  const int code = ::listen(fd.get(), backlog) == 0 ? 0 : errno;
  const std::string address = local_address(fd.get()).to_string();
  const std::string room = std::to_string(backlog);
  tell(steps, "listen", fd, "on " + address + ": up to " + room + " connections may wait to be accepted",
       code, {{"address", address}, {"backlog", room}});
  if (code != 0) return system_error("listen", address, code, ErrorKind::local);
  return {};
}

Result<std::optional<Accepted>> accept_socket(const Fd& listener) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  Fd fd(retry_eintr([&] {
    length = sizeof storage;
    return ::accept4(listener.get(), reinterpret_cast<sockaddr*>(&storage), &length,
                     SOCK_CLOEXEC | SOCK_NONBLOCK);
  }));
  if (fd.valid()) return Accepted{std::move(fd), SocketAddress::from(storage, length)};
  if (is_gone_before_accept(errno)) return std::nullopt;
  const int code = errno;
  return system_error("accept", local_address(listener.get()).to_string(), code, ErrorKind::local);
}

Result<ConnectState> connect_socket(const Fd& fd, const SocketAddress& address) {
  // Not repeated on EINTR: the attempt goes on by itself, and a second call would say EALREADY (connect(2)).
  if (::connect(fd.get(), address.data(), address.size()) == 0) return ConnectState::connected;
  if (errno == EINPROGRESS || errno == EINTR) return ConnectState::in_progress;
  const int code = errno;
  return system_error("connect", address.to_string(), code,
                      is_local_connect_fault(code) ? ErrorKind::local : ErrorKind::failed);
}

bool is_deferred(int fd) {
  tcp_info info{};
  socklen_t length = sizeof info;
  return ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 && info.tcpi_state == TCP_SYN_SENT;
}

void start_deferred(int fd) {
  // A failure is the connection's, and told by the next call.
  (void)::send(fd, nullptr, 0, MSG_NOSIGNAL);
}

bool speaks_mptcp(int fd) {
  // Before Linux 5.16, and where it has fallen back, there is no such option (EOPNOTSUPP).
  constexpr int kSolMptcp = 284;
  constexpr int kMptcpInfo = 1;
  constexpr std::uint32_t kFallback = 1;  // MPTCP_INFO_FLAG_FALLBACK
  struct {
    std::uint8_t counts[8];
    std::uint32_t flags;
    std::uint32_t rest[32];
  } info{};
  socklen_t length = sizeof info;
  return ::getsockopt(fd, kSolMptcp, kMptcpInfo, &info, &length) == 0 && (info.flags & kFallback) == 0;
}

int take_socket_error(int fd) {
  int code = 0;
  socklen_t length = sizeof code;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &length) == 0 ? code : errno;
}

bool is_local_connect_fault(int code) {
  switch (code) {
    case EACCES:  // no right to the Unix path; broadcast not asked for; a local rule
    case EPERM:   // a firewall rule of this host
    case EADDRINUSE:
    case EADDRNOTAVAIL:  // the ephemeral ports are used up, or the source address does not fit
    case EAFNOSUPPORT:
    case EAGAIN:
    case EALREADY:
    case EBADF:
    case EINVAL:
    case EISCONN:
    case EMFILE:
    case ENFILE:
    case ENETDOWN:
    case ENOBUFS:
    case ENODEV:
    case ENOMEM:
    case ENOTSOCK:
      return true;
    default:
      return false;
  }
}

SocketAddress local_address(int fd) {
  return ask_address(::getsockname, fd);
}

SocketAddress peer_address(int fd) {
  return ask_address(::getpeername, fd);
}

Result<void> set_option(const Fd& fd, int level, int option, int value, std::string_view name) {
  if (::setsockopt(fd.get(), level, option, &value, sizeof value) == 0) return {};
  return system_error("setsockopt", name, errno, ErrorKind::local);
}

void reset_on_close(int fd) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

std::size_t unsent_bytes(int fd) {
  int bytes = 0;
  if (::ioctl(fd, SIOCOUTQ, &bytes) != 0 || bytes < 0) return 0;
  return static_cast<std::size_t>(bytes);
}

}  // namespace pier
