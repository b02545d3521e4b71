// Which systemd unit and which container a process belongs to, told from the path of its control group
// (cgroups(7), /proc/PID/cgroup).
#pragma once

#include <string>
#include <string_view>

namespace pier {

struct CgroupNames {
  // The innermost service or scope: "nginx.service", "session-3.scope"; empty when there is none.
  std::string unit;
  // The container's full id (64 hexadecimal digits: Docker, Podman, containerd, CRI-O, Kubernetes) or name
  // (LXC, systemd-nspawn); empty outside of one.
  std::string container;
  // The uid of the Kubernetes pod, "11fa…-…"; empty outside of one.
  std::string pod = {};

  friend bool operator==(const CgroupNames&, const CgroupNames&) = default;
};

// `text` is the content of /proc/PID/cgroup: lines "ID:CONTROLLERS:PATH" of version 1, of version 2
// ("0::PATH") or of both. Of several paths the one that names most counts: version 2, then systemd's own of
// version 1, then the others. Lines of any other form are passed over. Never fails: what is not recognised is
// empty.
[[nodiscard]] CgroupNames parse_cgroup(std::string_view text);

}  // namespace pier
