// The sockets among the descriptors of other processes, by way of /proc/PID/fd (proc(5)).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace pier {

// Calls `visit` with the inode of each socket among the process's descriptors, once for each descriptor. 0,
// or the errno that kept us from looking at all of them: EACCES or EPERM where they are not ours to see,
// ENOENT when the process has gone. One readlink(2) for each descriptor.
[[nodiscard]] int visit_sockets(pid_t pid, const std::function<void(std::uint64_t inode)>& visit);

// Every process that /proc lists.
[[nodiscard]] std::vector<pid_t> every_pid();

// The children that a process has now. Kernels built without CONFIG_PROC_CHILDREN list none for anybody,
// which lists_children() tells.
[[nodiscard]] std::vector<pid_t> children_of(pid_t pid);
[[nodiscard]] bool lists_children();

}  // namespace pier
