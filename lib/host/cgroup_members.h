// The processes of a control group (cgroups(7), version 2), found by the group's id as sock_diag tells it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace pier {

struct CgroupMembers {
  std::vector<pid_t> pids;
  bool known = false;    // the group was found and read
  bool root = false;     // it is the hierarchy's root: everybody who is in no group of their own
  bool outside = false;  // some of its processes are in a pid namespace that we do not see
};

// `id`: the inode number of the group's folder. Anyone may ask for the group they are in; for any other one
// the capability CAP_DAC_READ_SEARCH is needed (open_by_handle_at(2)). Never fails: `known` is false then.
[[nodiscard]] CgroupMembers cgroup_members(std::uint64_t id);

}  // namespace pier
