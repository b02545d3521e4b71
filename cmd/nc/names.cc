#include "cmd/nc/names.h"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/number.h"
#include "ports/services.h"

namespace pier::nc {

std::expected<std::vector<IpAddress>, std::string> addresses_of(const std::string& host,
                                                                std::optional<Family> family, bool numeric) {
  addrinfo hints{};
  hints.ai_family = family ? domain_of(*family) : AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = numeric ? AI_NUMERICHOST : 0;
  addrinfo* found = nullptr;
  const int status = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> list(found, [](addrinfo* all) {
    if (all != nullptr) ::freeaddrinfo(all);
  });
  if (status != 0)
    return std::unexpected(std::string(status == EAI_SYSTEM ? ::strerror(errno) : ::gai_strerror(status)));
  std::vector<IpAddress> addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    sockaddr_storage storage{};
    std::memcpy(&storage, one->ai_addr, one->ai_addrlen);
    const SocketAddress address = SocketAddress::from(storage, one->ai_addrlen);
    if (address.is_ip() && std::ranges::find(addresses, address.ip()) == addresses.end())
      addresses.push_back(address.ip());
  }
  if (addresses.empty()) return std::unexpected(std::string(::gai_strerror(EAI_NODATA)));
  return addresses;
}

std::optional<std::uint16_t> named_port(const std::string& name, bool datagrams) {
  const char* const protocol = datagrams ? "udp" : "tcp";
  if (name.empty() || std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; }))
    return std::nullopt;
  servent entry{};
  servent* found = nullptr;
  std::array<char, 4096> room{};
  if (::getservbyname_r(name.c_str(), protocol, &entry, room.data(), room.size(), &found) == 0 &&
      found != nullptr)
    return ntohs(static_cast<std::uint16_t>(found->s_port));
  return service_port(name, protocol);
}

std::expected<std::uint16_t, std::string> port_of(const std::string& text, bool datagrams) {
  if (const auto named = named_port(text, datagrams)) return *named;
  if (const auto number = parse_port_number(text)) return *number;
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  if (digits) return std::unexpected("port number too large: " + text);
  return std::unexpected("getaddrinfo: " + std::string(::gai_strerror(EAI_SERVICE)));
}

std::string service_of(std::uint16_t port, bool datagrams, bool numeric) {
  if (numeric) return "*";
  servent entry{};
  servent* found = nullptr;
  std::array<char, 4096> room{};
  const int status =
      ::getservbyport_r(htons(port), datagrams ? "udp" : "tcp", &entry, room.data(), room.size(), &found);
  return status == 0 && found != nullptr ? found->s_name : "*";
}

std::string shown(const SocketAddress& address, bool numeric) {
  if (address.is_unix()) return address.path();
  if (!address.is_ip()) return address.to_string();
  const std::string port = " " + std::to_string(address.port());
  std::array<char, NI_MAXHOST> name{};
  const int flags = numeric ? NI_NUMERICHOST : 0;
  if (::getnameinfo(address.data(), address.size(), name.data(), name.size(), nullptr, 0, flags) != 0)
    return address.ip().to_string() + port;
  return name.data() + port;
}

std::expected<ProxyName, std::string> split_proxy(const std::string& text, std::uint16_t port) {
  ProxyName proxy{text, port};
  std::string rest;
  if (text.starts_with('[') && text.find(']') != std::string::npos) {
    const std::size_t end = text.find(']');
    proxy.host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
    if (!rest.empty() && !rest.starts_with(':')) return std::unexpected("proxy address invalid: " + text);
  } else if (std::ranges::count(text, ':') == 1) {
    proxy.host = text.substr(0, text.find(':'));
    rest = text.substr(text.find(':'));
  }
  if (proxy.host.empty()) return std::unexpected("proxy address invalid: " + text);
  if (rest.empty()) return proxy;
  const auto known = port_of(rest.substr(1), false);
  if (!known || *known == 0) return std::unexpected("proxy port invalid: " + rest.substr(1));
  proxy.port = *known;
  return proxy;
}

}  // namespace pier::nc
