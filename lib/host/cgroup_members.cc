#include "host/cgroup_members.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <array>
#include <charconv>
#include <cstring>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/proc_file.h"

namespace pier {
namespace {

// Where systemd mounts version 2: alone, or beside version 1.
constexpr std::array kMounts{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
// How name_to_handle_at(2) numbers the folders of kernfs (FILEID_KERNFS), whose handle is the inode number.
constexpr int kKernfsHandle = 0xfe;
// The inode number of the hierarchy's root.
constexpr std::uint64_t kRootId = 1;

// The mounted hierarchy, or an empty string.
std::string mount_point() {
  for (const char* path : kMounts) {
    struct statfs status;
    if (::statfs(path, &status) == 0 && status.f_type == CGROUP2_SUPER_MAGIC) return path;
  }
  return {};
}

Fd open_by_id(const std::string& mount, std::uint64_t id) {
  const Fd root(::open(mount.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return {};
  alignas(file_handle) std::array<char, sizeof(file_handle) + sizeof id> bytes{};
  auto* handle = reinterpret_cast<file_handle*>(bytes.data());
  handle->handle_bytes = sizeof id;
  handle->handle_type = kKernfsHandle;
  std::memcpy(bytes.data() + offsetof(file_handle, f_handle), &id, sizeof id);
  return Fd(::open_by_handle_at(root.get(), handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

// The group that we are in ourselves: "0::/user.slice/…".
Fd open_own(const std::string& mount, std::uint64_t id) {
  const auto text = read_file("/proc/self/cgroup");
  if (!text) return {};
  const std::size_t at = text->starts_with("0::") ? 0 : text->find("\n0::");
  if (at == std::string::npos) return {};
  const std::size_t begin = text->find("::", at) + 2;
  const std::string path = mount + text->substr(begin, text->find('\n', begin) - begin);
  Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat status;
  if (!fd.valid() || ::fstat(fd.get(), &status) != 0 || status.st_ino != id) return {};
  return fd;
}

}  // namespace

CgroupMembers cgroup_members(std::uint64_t id) {
  CgroupMembers members;
  if (id == kRootId) {
    members.root = true;
    return members;
  }
  const std::string mount = mount_point();
  if (id == 0 || mount.empty()) return members;
  Fd folder = open_by_id(mount, id);
  if (!folder.valid()) folder = open_own(mount, id);
  if (!folder.valid()) return members;
  const Fd list(::openat(folder.get(), "cgroup.procs", O_RDONLY | O_CLOEXEC));
  if (!list.valid()) return members;
  std::string text;
  std::array<char, 16384> block;
  ssize_t n = 0;
  while ((n = retry_eintr([&] { return ::read(list.get(), block.data(), block.size()); })) > 0)
    text.append(block.data(), static_cast<std::size_t>(n));
  if (n < 0) return members;  // a threaded group says EOPNOTSUPP
  members.known = true;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    pid_t pid = 0;
    if (std::from_chars(line.data(), line.data() + line.size(), pid).ec != std::errc()) continue;
    if (pid == 0)
      members.outside = true;
    else
      members.pids.push_back(pid);
  }
  return members;
}

}  // namespace pier
