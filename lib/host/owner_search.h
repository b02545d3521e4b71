// From sockets to the processes that hold them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace pier {

// How far a search went before every socket had an owner.
enum class SearchReach : std::uint8_t {
  relatives,  // this process, its ancestors and their children
  cgroup,     // the processes of the control group the socket was made in, and the relatives of its owners
  host,       // every process in /proc
};

// "relatives", "cgroup", "host".
[[nodiscard]] std::string_view to_string(SearchReach reach);

struct OwnerSearch {
  std::unordered_map<std::uint64_t, std::vector<pid_t>> pids;  // by inode; only those found; pids ascending
  SearchReach reach = SearchReach::relatives;
  bool denied = false;     // the descriptors of some process were not ours to read, or /proc hides processes
  bool whole_host = true;  // we are in the first pid namespace, and so see every process there is
  bool outside = false;    // a socket's control group has processes in a pid namespace that we do not see
};

// What is to be known of a socket to look for it.
struct WantedSocket {
  std::uint64_t inode = 0;   // 0: no process holds it, and it is not looked for
  std::uint64_t cgroup = 0;  // id of the control group it was made in; 0 for unknown
};

// Looks for the sockets with an inode among the descriptors of the processes most likely to hold them, and
// only then of all others: one readlink(2) for each descriptor looked at. A socket may be shared, by fork(2)
// or by passing descriptors, so each stage is completed, and the parents, siblings and children of every
// owner are asked too. What an early end can miss is a process outside the socket's control group that was
// handed the descriptor by another one that is no relative (SCM_RIGHTS of unix(7)). `everywhere` looks at
// every process.
[[nodiscard]] OwnerSearch find_owners(std::span<const WantedSocket> sockets, bool everywhere = false);

}  // namespace pier
