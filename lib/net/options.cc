#include "net/options.h"

#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <span>
#include <string_view>

#include "base/number.h"
#include "base/proc_file.h"

namespace pier {
namespace {

constexpr std::string_view kSendLimit = "net.core.wmem_max";
constexpr std::string_view kReceiveLimit = "net.core.rmem_max";

// One option whose value is a number.
struct Numeric {
  int level;
  int option;
  std::string_view name;
  int value;
  std::string_view limit = {};  // of a buffer: the setting of this host that cuts it
};

// A line of /proc/sys, "net.core.wmem_max"; empty where it cannot be read.
std::string system_setting(std::string_view name) {
  std::string path = "/proc/sys/";
  for (const char c : name) path += c == '.' ? '/' : c;
  const auto text = read_file(path, 4096);
  if (!text) return {};
  return text->substr(0, text->find_last_not_of('\n') + 1);
}

// What the limit of a buffer is where it cuts `value`.
std::optional<std::uint64_t> cut_to(std::string_view limit, int value) {
  const auto most = parse_unsigned(system_setting(limit), 0, UINT64_MAX, limit);
  if (!most || static_cast<std::uint64_t>(value) <= *most) return std::nullopt;
  return *most;
}

void tell(StepSink* steps, const Fd& fd, std::string_view name, std::string asked, std::string text,
          std::string has, int code) {
  if (steps == nullptr) return;
  steps->step(
      {.call = "setsockopt",
       .fd = fd.get(),
       .text = std::string(name) + " " + std::move(text),
       .result = code == 0 ? "ok" : errno_text(code),
       .fields = {
           {"option", std::string(name)}, {"value", std::move(asked)}, {"kernel_value", std::move(has)}}});
}

// How a person reads what became of the value.
std::string outcome(const Numeric& one, int has) {
  if (!one.limit.empty()) {
    std::string text = fmt::format("{} B: the kernel took {} B, half of it for data", one.value, has);
    if (const auto most = cut_to(one.limit, one.value))
      text += fmt::format("; {} of this host cuts it to {} B", one.limit, *most);
    return text;
  }
  if (has == one.value) return std::to_string(one.value);
  return fmt::format("{}: the kernel took {}", one.value, has);
}

Result<void> set_number(const Fd& fd, const Numeric& one, StepSink* steps) {
  const std::string asked = std::to_string(one.value);
  if (::setsockopt(fd.get(), one.level, one.option, &one.value, sizeof one.value) != 0) {
    const int code = errno;
    tell(steps, fd, one.name, asked, asked, "", code);
    return system_error("setsockopt", std::string(one.name) + " " + asked, code, ErrorKind::local);
  }
  if (steps == nullptr) return {};
  int has = 0;
  socklen_t length = sizeof has;
  if (::getsockopt(fd.get(), one.level, one.option, &has, &length) != 0) has = one.value;
  tell(steps, fd, one.name, asked, outcome(one, has), std::to_string(has), 0);
  return {};
}

void add_ttl(std::vector<Numeric>& numbers, int ttl, int domain, bool tcp) {
  const bool v4 = domain == AF_INET;
  numbers.push_back(v4 ? Numeric{IPPROTO_IP, IP_TTL, "IP_TTL", ttl}
                       : Numeric{IPPROTO_IPV6, IPV6_UNICAST_HOPS, "IPV6_UNICAST_HOPS", ttl});
  if (tcp) return;
  numbers.push_back(v4 ? Numeric{IPPROTO_IP, IP_MULTICAST_TTL, "IP_MULTICAST_TTL", ttl}
                       : Numeric{IPPROTO_IPV6, IPV6_MULTICAST_HOPS, "IPV6_MULTICAST_HOPS", ttl});
}

Error congestion_error(const std::string& name, int code) {
  Error error{ErrorKind::local, "setsockopt", "TCP_CONGESTION " + quoted(name), code, {}};
  const bool forbidden = code == EPERM;
  const std::string all = system_setting(forbidden ? "net.ipv4.tcp_allowed_congestion_control"
                                                   : "net.ipv4.tcp_available_congestion_control");
  std::string names;
  for (const char c : all) names += c == ' ' ? ", " : std::string(1, c);
  error.why = forbidden ? "not allowed without CAP_NET_ADMIN" : "this kernel has no such congestion control";
  if (!names.empty()) error.why += std::string(forbidden ? "; allowed: " : "; available: ") + names;
  return error;
}

Result<void> set_congestion(const Fd& fd, const std::string& name, StepSink* steps) {
  constexpr std::size_t kNameRoom =
      16;  // TCP_CA_NAME_MAX of linux/tcp.h, with the NUL; the rest would be cut off
  int code = ENOENT;
  if (name.size() < kNameRoom)
    code = ::setsockopt(fd.get(), IPPROTO_TCP, TCP_CONGESTION, name.data(),
                        static_cast<socklen_t>(name.size())) == 0
               ? 0
               : errno;
  char has[kNameRoom] = {};
  socklen_t length = sizeof has;
  if (code == 0 && ::getsockopt(fd.get(), IPPROTO_TCP, TCP_CONGESTION, has, &length) != 0) length = 0;
  const std::string kept(has, ::strnlen(has, sizeof has));
  tell(steps, fd, "TCP_CONGESTION", name, code == 0 ? kept : name, kept, code);
  if (code != 0) return std::unexpected(congestion_error(name, code));
  return {};
}

// The kernel takes keys of up to 80 bytes; a prefix of length 0 stands for every peer.
Result<void> set_md5_key(const Fd& fd, int domain, const std::string& key, StepSink* steps) {
  tcp_md5sig sig{};
  sig.tcpm_addr.ss_family = static_cast<sa_family_t>(domain);
  sig.tcpm_flags = TCP_MD5SIG_FLAG_PREFIX;
  int code = EMSGSIZE;
  if (key.size() <= sizeof sig.tcpm_key) {
    sig.tcpm_keylen = static_cast<std::uint16_t>(key.size());
    key.copy(reinterpret_cast<char*>(sig.tcpm_key), sizeof sig.tcpm_key);
    code = ::setsockopt(fd.get(), IPPROTO_TCP, TCP_MD5SIG_EXT, &sig, sizeof sig) == 0 ? 0 : errno;
    ::explicit_bzero(&sig, sizeof sig);
  }
  const std::string length = std::to_string(key.size());
  tell(steps, fd, "TCP_MD5SIG_EXT", length, "with a key of " + length + " B", "", code);
  if (code == EMSGSIZE)
    return fail(ErrorKind::local, "setsockopt", "TCP_MD5SIG_EXT", "the key has more than 80 bytes");
  if (code == ENOPROTOOPT)
    return fail(ErrorKind::local, "setsockopt", "TCP_MD5SIG_EXT", "this kernel has no TCP MD5 signatures");
  if (code != 0) return system_error("setsockopt", "TCP_MD5SIG_EXT", code, ErrorKind::local);
  return {};
}

}  // namespace

bool SocketOptions::any() const {
  return send_buffer || receive_buffer || segment || no_delay || keep_alive || !congestion.empty() || tos ||
         ttl || least_ttl || debug || broadcast || !md5_key.empty();
}

Result<void> set_options(const Fd& fd, Transport transport, int domain, const SocketOptions& options,
                         StepSink* steps) {
  if (!options.any()) return {};
  const bool tcp = transport == Transport::tcp;
  const bool ip = tcp || transport == Transport::udp;
  std::vector<Numeric> numbers;
  if (options.send_buffer)
    numbers.push_back({SOL_SOCKET, SO_SNDBUF, "SO_SNDBUF", *options.send_buffer, kSendLimit});
  if (options.receive_buffer)
    numbers.push_back({SOL_SOCKET, SO_RCVBUF, "SO_RCVBUF", *options.receive_buffer, kReceiveLimit});
  if (options.segment && tcp) numbers.push_back({IPPROTO_TCP, TCP_MAXSEG, "TCP_MAXSEG", *options.segment});
  if (options.no_delay && tcp) numbers.push_back({IPPROTO_TCP, TCP_NODELAY, "TCP_NODELAY", 1});
  if (options.keep_alive && tcp) numbers.push_back({SOL_SOCKET, SO_KEEPALIVE, "SO_KEEPALIVE", 1});
  if (options.tos && ip && domain == AF_INET) numbers.push_back({IPPROTO_IP, IP_TOS, "IP_TOS", *options.tos});
  if (options.tos && ip && domain == AF_INET6)
    numbers.push_back({IPPROTO_IPV6, IPV6_TCLASS, "IPV6_TCLASS", *options.tos});
  if (options.least_ttl && ip)
    numbers.push_back(domain == AF_INET
                          ? Numeric{IPPROTO_IP, IP_MINTTL, "IP_MINTTL", *options.least_ttl}
                          : Numeric{IPPROTO_IPV6, IPV6_MINHOPCOUNT, "IPV6_MINHOPCOUNT", *options.least_ttl});
  if (options.debug) numbers.push_back({SOL_SOCKET, SO_DEBUG, "SO_DEBUG", 1});
  if (options.broadcast) numbers.push_back({SOL_SOCKET, SO_BROADCAST, "SO_BROADCAST", 1});
  if (options.ttl && ip) add_ttl(numbers, *options.ttl, domain, tcp);
  for (const Numeric& one : numbers)
    if (const auto set = set_number(fd, one, steps); !set) return set;
  if (tcp && !options.md5_key.empty())
    if (const auto set = set_md5_key(fd, domain, options.md5_key, steps); !set) return set;
  if (tcp && !options.congestion.empty()) return set_congestion(fd, options.congestion, steps);
  return {};
}

std::vector<std::string> cut_buffers(const SocketOptions& options) {
  std::vector<std::string> notes;
  const auto look = [&](std::string_view what, std::optional<int> asked, std::string_view limit) {
    const auto most = asked ? cut_to(limit, *asked) : std::nullopt;
    if (most)
      notes.push_back(fmt::format("the {} buffer will be {} B, not {} B: {} of this host allows no more",
                                  what, *most, *asked, limit));
  };
  look("send", options.send_buffer, kSendLimit);
  look("receive", options.receive_buffer, kReceiveLimit);
  return notes;
}

}  // namespace pier
