#include "net/device.h"

#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <string_view>

#include "net/interfaces.h"
#include "net/socket.h"

namespace pier {
namespace {

std::unexpected<Error> cannot(const std::string& name, int code) {
  Error error{ErrorKind::local, "interface", quoted(name), code, {}};
  if (code == ENODEV) {
    error.why = "no such interface; this host has";
    for (const std::string& one : interface_names()) error.why += " " + one;
  } else if (code == EPERM) {
    error.why = "SO_BINDTODEVICE needs CAP_NET_RAW before Linux 5.7";
  }
  return std::unexpected(error);
}

void tell(StepSink* steps, const Fd& fd, std::string_view option, const std::string& name,
          std::string_view meaning) {
  if (steps == nullptr) return;
  steps->step({.call = "setsockopt",
               .fd = fd.get(),
               .text = std::string(option) + " " + name + ": " + std::string(meaning),
               .result = "ok",
               .fields = {{"option", std::string(option)}, {"interface", name}}});
}

}  // namespace

Result<unsigned> interface_index(const std::string& name) {
  const unsigned index = ::if_nametoindex(name.c_str());
  if (index == 0) return cannot(name, ENODEV);
  return index;
}

Result<void> hold_to_interface(const Fd& fd, Transport transport, int domain, const std::string& name,
                               StepSink* steps) {
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, name.c_str(),
                   static_cast<socklen_t>(name.size() + 1)) == 0) {
    tell(steps, fd, "SO_BINDTODEVICE", name, "what we send and receive goes through this interface only");
    return {};
  }
  const int code = errno;
  const auto index = interface_index(name);
  if (!index) return std::unexpected(index.error());
  // For TCP the other option changes nothing (net/ipv4/tcp_ipv4.c asks sk_bound_dev_if alone).
  if (code != EPERM || !is_datagram(transport)) return cannot(name, code);
  const bool v4 = domain == AF_INET;
  const std::string_view option = v4 ? "IP_UNICAST_IF" : "IPV6_UNICAST_IF";
  // Both take the index in network order.
  const auto value = static_cast<int>(htonl(*index));
  const auto set = v4 ? set_option(fd, SOL_IP, IP_UNICAST_IF, value, option)
                      : set_option(fd, SOL_IPV6, IPV6_UNICAST_IF, value, option);
  if (!set) return cannot(name, code);
  tell(steps, fd, option, name,
       "what we send leaves by this interface; SO_BINDTODEVICE is refused here (CAP_NET_RAW)");
  return {};
}

}  // namespace pier
