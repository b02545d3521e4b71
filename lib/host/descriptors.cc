#include "host/descriptors.h"

#include <dirent.h>
#include <fmt/core.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/proc_file.h"

namespace pier {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

// "socket:[12345]".
std::optional<std::uint64_t> socket_inode(std::string_view link) {
  constexpr std::string_view kPrefix = "socket:[";
  if (!link.starts_with(kPrefix) || !link.ends_with(']')) return std::nullopt;
  link.remove_prefix(kPrefix.size());
  link.remove_suffix(1);
  std::uint64_t inode = 0;
  const auto [end, error] = std::from_chars(link.data(), link.data() + link.size(), inode);
  if (error != std::errc() || end != link.data() + link.size()) return std::nullopt;
  return inode;
}

// The numbers among a directory's names.
std::vector<pid_t> numbers_in(const std::string& path) {
  std::vector<pid_t> numbers;
  const Directory directory(::opendir(path.c_str()));
  if (!directory) return numbers;
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    pid_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error == std::errc() && end == name.data() + name.size() && number > 0) numbers.push_back(number);
  }
  return numbers;
}

}  // namespace

int visit_sockets(pid_t pid, const std::function<void(std::uint64_t inode)>& visit) {
  const Directory directory(::opendir(fmt::format("/proc/{}/fd", pid).c_str()));
  if (!directory) return errno;
  while (const dirent* entry = ::readdir(directory.get())) {
    if (entry->d_name[0] == '.') continue;
    std::array<char, 64> link;  // longer ones are no sockets
    const ssize_t n = ::readlinkat(::dirfd(directory.get()), entry->d_name, link.data(), link.size());
    if (n < 0 && (errno == EACCES || errno == EPERM)) return errno;
    if (n < 0) continue;  // closed meanwhile
    const auto inode = socket_inode({link.data(), static_cast<std::size_t>(n)});
    if (inode) visit(*inode);
  }
  return 0;
}

std::vector<pid_t> every_pid() {
  return numbers_in("/proc");
}

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> children;
  // Each thread has its own: those that it forked.
  for (const pid_t thread : numbers_in(fmt::format("/proc/{}/task", pid))) {
    const auto text = read_file(fmt::format("/proc/{}/task/{}/children", pid, thread));
    if (!text) continue;
    std::string_view rest = *text;
    while (!rest.empty()) {
      pid_t child = 0;
      const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), child);
      if (error != std::errc()) break;
      children.push_back(child);
      rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
      if (rest.starts_with(' ')) rest.remove_prefix(1);
    }
  }
  return children;
}

bool lists_children() {
  static const bool listed = ::access("/proc/thread-self/children", F_OK) == 0;
  return listed;
}

}  // namespace pier
