#include "event/listener.h"

#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "event/resolve.h"
#include "net/datagram.h"
#include "net/socket.h"

namespace pier {
namespace {

// How many numbers are drawn before both families of one are free. Each draw fails only when somebody holds
// that very number in the other family.
constexpr std::size_t kMostDraws = 64;

Result<void> set_told(const Fd& fd, int level, int option, std::string_view name, std::string_view meaning,
                      StepSink* steps) {
  const auto set = set_option(fd, level, option, 1, name);
  if (steps != nullptr)
    steps->step({.call = "setsockopt",
                 .fd = fd.get(),
                 .text = std::string(name) + ": " + std::string(meaning),
                 .result = set ? "ok" : errno_text(set.error().code),
                 .fields = {{"option", std::string(name)}, {"value", "1"}}});
  return set;
}

// SO_REUSEPORT, which Linux also takes between bind and listen. The first socket of a port is bound without:
// else another server's would be joined rather than found to be there.
Result<void> share_port(const Fd& fd, const ListenPlan& plan) {
  if (!plan.shared || plan.endpoint.transport != Transport::tcp) return {};
  return set_told(fd, SOL_SOCKET, SO_REUSEPORT, "SO_REUSEPORT",
                  "the kernel spreads clients among sockets of this address", plan.steps);
}

// The socket of one address, bound. `further`: one more for an address that has one.
Result<Listener::Bound> bind_one(const SocketAddress& address, const ListenPlan& plan, bool further = false) {
  const Transport transport = plan.endpoint.transport;
  auto fd = open_socket(transport, address.domain(), plan.steps);
  if (!fd) return std::unexpected(fd.error());
  if (transport == Transport::tcp) {
    const auto set =
        set_told(*fd, SOL_SOCKET, SO_REUSEADDR, "SO_REUSEADDR",
                 "connections of an earlier run that are still closing do not hold the port", plan.steps);
    if (!set) return std::unexpected(set.error());
  }
  if (address.is_ip() && address.ip().is_multicast()) {
    const auto set = set_told(*fd, SOL_SOCKET, SO_REUSEADDR, "SO_REUSEADDR",
                              "other programs of this host may listen to the group too", plan.steps);
    if (!set) return std::unexpected(set.error());
  }
  if (address.domain() == AF_INET6) {
    const auto set = set_told(*fd, IPPROTO_IPV6, IPV6_V6ONLY, "IPV6_V6ONLY",
                              "this socket is for IPv6 alone; IPv4 has one of its own", plan.steps);
    if (!set) return std::unexpected(set.error());
  }
  if (const auto set = set_options(*fd, transport, address.domain(), plan.options, plan.steps); !set)
    return std::unexpected(set.error());
  if (transport == Transport::udp) tell_destinations(*fd, address);
  if (further)
    if (const auto shared = share_port(*fd, plan); !shared) return std::unexpected(shared.error());
  if (const auto bound = bind_socket(*fd, address, plan.steps); !bound) return std::unexpected(bound.error());
  if (!further)
    if (const auto shared = share_port(*fd, plan); !shared) return std::unexpected(shared.error());
  const SocketAddress real = local_address(fd->get());
  if (const auto joined = join_groups(*fd, real, plan.groups, plan.steps); !joined)
    return std::unexpected(joined.error());
  return Listener::Bound{std::move(*fd), real};
}

// Listens where the transport has connections. Nobody can connect before all are bound.
Result<void> listen_all(const std::vector<Listener::Bound>& sockets, const ListenPlan& plan) {
  if (is_datagram(plan.endpoint.transport)) return {};
  for (const Listener::Bound& one : sockets)
    if (const auto listening = listen_socket(one.fd, plan.backlog, plan.steps); !listening) return listening;
  return {};
}

// The addresses to open, at most one of each family, IPv4 first; or the groups, each once.
Result<std::vector<IpAddress>> wanted_addresses(const ListenPlan& plan) {
  std::vector<IpAddress> wanted;
  if (plan.endpoint.host.empty() && !plan.endpoint.every_interface && !plan.groups.empty()) {
    for (const MulticastGroup& group : plan.groups) {
      const auto address = group.with_zone();
      if (!address) return std::unexpected(address.error());
      if (std::ranges::find(wanted, *address) == wanted.end()) wanted.push_back(*address);
    }
    return wanted;
  }
  if (plan.endpoint.host.empty()) {
    for (const Family family : {Family::ipv4, Family::ipv6})
      if (!plan.family || *plan.family == family)
        wanted.push_back(plan.endpoint.every_interface ? IpAddress::any(family)
                                                       : IpAddress::loopback(family));
    return wanted;
  }
  const auto found = resolve_now(plan.endpoint.host, plan.family);
  if (!found) return std::unexpected(found.error());
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const auto first = std::ranges::find(*found, family, &IpAddress::family);
    if (first != found->end()) wanted.push_back(*first);
  }
  return wanted;
}

bool is_family_missing(const Error& error) {
  return error.code == EAFNOSUPPORT || error.code == EADDRNOTAVAIL;
}

// All of `addresses` on one port, into `opened`, which keeps those that were bound before a failure. A family
// that this host lacks is left out as long as another one is there.
Result<void> open_together(const std::vector<IpAddress>& addresses, const ListenPlan& plan,
                           std::vector<Listener::Bound>& opened) {
  auto port = static_cast<std::uint16_t>(plan.endpoint.port);
  std::optional<Error> missing;
  for (const IpAddress& address : addresses) {
    auto bound = bind_one(SocketAddress(address, port), plan);
    if (bound) {
      port = bound->address.port();
      opened.push_back(std::move(*bound));
    } else if (is_family_missing(bound.error())) {
      if (!missing) missing = bound.error();
    } else {
      return std::unexpected(bound.error());
    }
  }
  if (opened.empty()) return std::unexpected(*missing);
  return listen_all(opened, plan);
}

Result<std::vector<Listener::Bound>> open_ip(const ListenPlan& plan) {
  const auto addresses = wanted_addresses(plan);
  if (!addresses) return std::unexpected(addresses.error());
  // Numbers that were drawn in vain are held until the end, so that the kernel must choose others.
  std::vector<std::vector<Listener::Bound>> draws;
  for (;;) {
    const auto opened = open_together(*addresses, plan, draws.emplace_back());
    if (opened) return std::move(draws.back());
    const bool again = opened.error().code == EADDRINUSE && plan.endpoint.port == 0;
    if (!again || draws.size() == kMostDraws) return std::unexpected(opened.error());
  }
}

// Whether `path` is a socket that nobody has open any more. Only a refusal proves it; a missing right means
// that there may be somebody. Asked by a socket of a type that is never served here, so that whoever is there
// does not take it for a client.
bool is_stale(const std::string& path, const SocketAddress& address) {
  struct stat file{};
  if (::lstat(path.c_str(), &file) != 0 || !S_ISSOCK(file.st_mode)) return false;
  const Fd probe(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe.valid()) return false;
  const auto connected = connect_socket(probe, address);
  return !connected && connected.error().code == ECONNREFUSED;
}

// bind(2) gives the file its mode by the umask, so that it never has another.
class Umask {
 public:
  explicit Umask(const std::optional<mode_t>& mode) {
    if (mode) before_ = ::umask(~*mode & 0777U);
  }
  ~Umask() {
    if (before_) ::umask(*before_);
  }
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;

 private:
  std::optional<mode_t> before_;
};

// While nobody can connect yet: it does not listen.
Result<void> give_file(const std::string& path, const FileRights& rights) {
  if (!rights.user && !rights.group) return {};
  if (::lchown(path.c_str(), rights.user.value_or(static_cast<uid_t>(-1)),
               rights.group.value_or(static_cast<gid_t>(-1))) != 0)
    return system_error("chown", path, errno, ErrorKind::local);
  return {};
}

Result<Listener::Bound> open_unix(const ListenPlan& plan) {
  const std::string& path = plan.endpoint.path;
  const auto address = SocketAddress::unix_path(path);
  if (!address) return std::unexpected(address.error());
  const Umask umask(plan.file.mode);
  auto bound = bind_one(*address, plan);
  if (bound || bound.error().code != EADDRINUSE || path.starts_with('@')) return bound;
  if (!is_stale(path, *address)) {
    struct stat file{};
    if (::lstat(path.c_str(), &file) == 0 && !S_ISSOCK(file.st_mode))
      bound.error().why = errno_text(EADDRINUSE) + ": the file there is no socket, and is left alone";
    return bound;
  }
  const int code = ::unlink(path.c_str()) == 0 ? 0 : errno;
  if (plan.steps != nullptr)
    plan.steps->step({.call = "unlink",
                      .text = path + ": a socket that nobody answers on, left by an earlier run",
                      .result = code == 0 ? "ok" : errno_text(code),
                      .fields = {{"path", path}}});
  if (code != 0) return system_error("unlink", path, code, ErrorKind::local);
  return bind_one(*address, plan);
}

// An option of SOL_SOCKET that is a number; -1 where it cannot be read.
int socket_option(const Fd& fd, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(fd.get(), SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

bool is_listening(const Fd& fd) {
  return socket_option(fd, SO_ACCEPTCONN) == 1;
}

// Whether the socket has an address and no peer: listen(2) is all that it lacks.
bool is_only_bound(const Fd& fd) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  if (::getpeername(fd.get(), reinterpret_cast<sockaddr*>(&peer), &size) == 0 || errno != ENOTCONN)
    return false;
  const SocketAddress address = local_address(fd.get());
  return address.is_ip() ? address.port() != 0 : !address.is_nameless();
}

// What a socket that was passed to us is.
Result<Transport> transport_of_passed(const Fd& fd) {
  const std::string which = "descriptor " + std::to_string(fd.get());
  const int type = socket_option(fd, SO_TYPE);
  if (type < 0) return system_error("passed socket", which, errno, ErrorKind::local);
  if (type == SOCK_STREAM && !is_listening(fd) && !is_only_bound(fd))
    return fail(ErrorKind::local, "passed socket", which,
                "it neither listens nor is bound to an address (Accept=no passes one that listens)");
  const bool datagram = type == SOCK_DGRAM;
  switch (socket_option(fd, SO_DOMAIN)) {
    case AF_INET:
    case AF_INET6:
      if (type == SOCK_STREAM || datagram) return datagram ? Transport::udp : Transport::tcp;
      break;
    case AF_UNIX:
      if (type == SOCK_STREAM || datagram) return datagram ? Transport::unix_dgram : Transport::unix_stream;
      break;
    case AF_VSOCK:
      if (type == SOCK_STREAM) return Transport::vsock;
      break;
    default:
      break;
  }
  return fail(ErrorKind::local, "passed socket", which,
              "neither a stream nor a datagram socket of a known family");
}

}  // namespace

Result<Listener> Listener::share(const ListenPlan& plan) const {
  Listener listener;
  listener.transport_ = transport_;
  const bool own = transport_ == Transport::tcp && !adopted_;
  for (const Bound& bound : sockets_) {
    if (own) {
      auto more = bind_one(bound.address, plan, true);
      if (!more) return std::unexpected(more.error());
      listener.sockets_.push_back(std::move(*more));
      continue;
    }
    Fd copy(::fcntl(bound.fd.get(), F_DUPFD_CLOEXEC, 0));
    if (!copy.valid()) return system_error("dup", bound.address.to_string(), errno, ErrorKind::local);
    listener.sockets_.push_back({std::move(copy), bound.address});
  }
  if (own)
    if (const auto listening = listen_all(listener.sockets_, plan); !listening)
      return std::unexpected(listening.error());
  return listener;
}

Result<Listener> Listener::adopt(std::vector<Fd> sockets) {
  Listener listener;
  listener.adopted_ = true;
  for (Fd& fd : sockets) {
    const auto transport = transport_of_passed(fd);
    if (!transport) return std::unexpected(transport.error());
    if (!listener.sockets_.empty() && *transport != listener.transport_)
      return fail(ErrorKind::local, "passed socket", "descriptor " + std::to_string(fd.get()),
                  "not of the transport of the first: one program serves one");
    listener.transport_ = *transport;
    ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
    const SocketAddress address = local_address(fd.get());
    if (*transport == Transport::udp) tell_destinations(fd, address);
    listener.sockets_.push_back({std::move(fd), address});
  }
  return listener;
}

Result<void> Listener::set_all(const SocketOptions& options, StepSink* steps) {
  for (const Bound& bound : sockets_)
    if (const auto set = set_options(bound.fd, transport_, bound.address.domain(), options, steps); !set)
      return set;
  return {};
}

Result<void> Listener::listen(int backlog, StepSink* steps) {
  if (is_datagram(transport_)) return {};
  for (const Bound& bound : sockets_)
    if (!is_listening(bound.fd))
      if (const auto listening = listen_socket(bound.fd, backlog, steps); !listening) return listening;
  return {};
}

Result<Listener> Listener::open(const ListenPlan& plan) {
  Listener listener;
  listener.transport_ = plan.endpoint.transport;
  switch (plan.endpoint.transport) {
    case Transport::tcp:
    case Transport::udp: {
      auto opened = open_ip(plan);
      if (!opened) return std::unexpected(opened.error());
      listener.sockets_ = std::move(*opened);
      break;
    }
    case Transport::unix_stream:
    case Transport::unix_dgram: {
      auto bound = open_unix(plan);
      if (!bound) return std::unexpected(bound.error());
      listener.sockets_.push_back(std::move(*bound));
      listener.file_ = SocketFile(listener.sockets_.front().address);
      if (const auto given = give_file(plan.endpoint.path, plan.file); !given)
        return std::unexpected(given.error());
      if (const auto listening = listen_all(listener.sockets_, plan); !listening)
        return std::unexpected(listening.error());
      break;
    }
    case Transport::vsock: {
      const std::uint32_t port = plan.endpoint.port == 0 ? VMADDR_PORT_ANY : plan.endpoint.port;
      auto bound = bind_one(SocketAddress::vsock(plan.endpoint.cid, port), plan);
      if (!bound) return std::unexpected(bound.error());
      listener.sockets_.push_back(std::move(*bound));
      if (const auto listening = listen_all(listener.sockets_, plan); !listening)
        return std::unexpected(listening.error());
      break;
    }
  }
  return listener;
}

std::uint16_t Listener::port() const {
  return sockets_.empty() ? std::uint16_t{0} : sockets_.front().address.port();
}

void Listener::close() {
  sockets_.clear();
}

}  // namespace pier
