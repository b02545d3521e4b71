#include "host/owner_search.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <unordered_set>

#include "host/cgroup_members.h"
#include "host/descriptors.h"
#include "host/process.h"

namespace pier {
namespace {

// The inode of the host's first pid namespace, fixed in the kernel (PROC_PID_INIT_INO).
constexpr ino_t kFirstPidNamespace = 0xEFFFFFFC;
// With sockets of more groups than these, one look at everybody is cheaper than one at each group.
constexpr std::size_t kMostGroups = 8;

bool in_first_pid_namespace() {
  struct stat status;
  return ::stat("/proc/self/ns/pid", &status) == 0 && status.st_ino == kFirstPidNamespace;
}

// Mounted with hidepid=2 or 4, /proc does not even list the processes of others. The first process is never
// ours then.
bool processes_are_hidden() {
  return ::access("/proc/1", F_OK) != 0;
}

class Search {
 public:
  explicit Search(std::span<const WantedSocket> sockets) {
    for (const WantedSocket& socket : sockets) {
      if (socket.inode == 0) continue;
      wanted_.insert(socket.inode);
      groups_.insert(socket.cgroup);
    }
  }

  OwnerSearch operator()(bool everywhere) {
    if (wanted_.empty()) return std::move(result_);
    if (everywhere || !lists_children() || !found_nearby()) look_everywhere();
    for (auto& [inode, pids] : result_.pids) std::ranges::sort(pids);
    return std::move(result_);
  }

 private:
  [[nodiscard]] bool all_found() const { return result_.pids.size() == wanted_.size(); }

  void visit(pid_t pid) {
    if (pid <= 0 || !seen_.insert(pid).second) return;
    bool owns = false;
    const int error = visit_sockets(pid, [&](std::uint64_t inode) {
      if (!wanted_.contains(inode)) return;
      owns = true;
      std::vector<pid_t>& pids = result_.pids[inode];
      if (pids.empty() || pids.back() != pid) pids.push_back(pid);  // one process may hold it twice
    });
    if (error == EACCES || error == EPERM) result_.denied = true;
    if (owns) owners_.push_back(pid);
  }

  void visit_children(pid_t pid) {
    for (const pid_t child : children_of(pid)) visit(child);
  }

  // Whom an owner may have got the socket from, or handed it on to by fork(2). The list of owners may grow
  // meanwhile.
  void visit_relatives_of_owners(bool siblings) {
    for (std::size_t i = 0; i < owners_.size(); ++i) {
      const pid_t owner = owners_[i];
      visit_children(owner);
      for (pid_t above = parent_of(owner); above > 0; above = parent_of(above)) {
        if (!ancestors_.insert(above).second) break;
        visit(above);
        if (siblings) visit_children(above);
      }
    }
  }

  // The processes of the groups the sockets were made in. False when one of the groups is not known, or is
  // the root, where everybody may be.
  bool visit_groups() {
    if (groups_.size() > kMostGroups) return false;
    std::vector<pid_t> pids;
    for (const std::uint64_t id : groups_) {
      CgroupMembers members = cgroup_members(id);
      result_.outside = result_.outside || members.outside;
      if (!members.known) return false;
      pids.insert(pids.end(), members.pids.begin(), members.pids.end());
    }
    for (const pid_t pid : pids) visit(pid);
    return true;
  }

  bool found_nearby() {
    const pid_t self = ::getpid();
    visit(self);
    visit_children(::getppid());
    for (pid_t above = ::getppid(); above > 0; above = parent_of(above)) visit(above);
    const bool relatives = all_found();
    const bool groups = visit_groups();
    if (!all_found()) return false;
    result_.reach = relatives ? SearchReach::relatives : SearchReach::cgroup;
    visit_relatives_of_owners(!groups);
    return true;
  }

  void look_everywhere() {
    result_.reach = SearchReach::host;
    for (const pid_t pid : every_pid()) visit(pid);
    result_.denied = result_.denied || processes_are_hidden();
    result_.whole_host = in_first_pid_namespace();
  }

  OwnerSearch result_;
  std::unordered_set<std::uint64_t> wanted_;
  std::set<std::uint64_t> groups_;
  std::unordered_set<pid_t> seen_;
  std::unordered_set<pid_t> ancestors_;
  std::vector<pid_t> owners_;
};

}  // namespace

std::string_view to_string(SearchReach reach) {
  switch (reach) {
    case SearchReach::relatives:
      return "relatives";
    case SearchReach::cgroup:
      return "cgroup";
    case SearchReach::host:
      return "host";
  }
  return "host";
}

OwnerSearch find_owners(std::span<const WantedSocket> sockets, bool everywhere) {
  return Search(sockets)(everywhere);
}

}  // namespace pier
