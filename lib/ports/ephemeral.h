// What this host does with its own ports: which ones it hands out, keeps back, and guards.
//
// Linux keeps all three settings in /proc/sys/net/ipv4 and uses them for IPv6 too (ip(7),
// Documentation/networking/ip-sysctl of the kernel).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ports/port_class.h"

namespace pier {

struct HostPorts {
  // ip_local_port_range: where the kernel takes the port of a socket that asks for none. The default is the
  // kernel's own for a host whose setting cannot be read.
  PortRange ephemeral{32768, 60999};
  // ip_local_reserved_ports: never handed out by the kernel, only bound by those who name them. Ascending.
  std::vector<PortRange> reserved;
  // ip_unprivileged_port_start: ports from 1 to below this need CAP_NET_BIND_SERVICE.
  std::uint16_t unprivileged_start = 1024;

  // Each says whether the setting above was read from this host; where false it is the default.
  bool ephemeral_known = false;
  bool reserved_known = false;
  bool unprivileged_known = false;

  [[nodiscard]] bool is_ephemeral(std::uint16_t port) const { return ephemeral.contains(port); }
  [[nodiscard]] bool is_reserved(std::uint16_t port) const;
  // Port 0 is never privileged: binding it asks the kernel for an ephemeral port.
  [[nodiscard]] bool is_privileged(std::uint16_t port) const {
    return port != 0 && port < unprivileged_start;
  }
};

// Reads the three files under `root`. A file that is missing, unreadable or not in the kernel's own form
// leaves its default.
[[nodiscard]] HostPorts read_host_ports(const std::string& root = "/proc/sys/net/ipv4");

}  // namespace pier
