#include "scan/descriptors.h"

#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <iterator>

namespace pier {
namespace {

constexpr std::size_t kKeptFree = 4;

}  // namespace

std::size_t descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 256;  // what the oldest of systems gave
  return limit.rlim_cur == RLIM_INFINITY ? SIZE_MAX : static_cast<std::size_t>(limit.rlim_cur);
}

std::size_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return descriptor_limit();
  if (limit.rlim_cur < limit.rlim_max) {
    const rlimit raised{limit.rlim_max, limit.rlim_max};
    (void)::setrlimit(RLIMIT_NOFILE, &raised);
  }
  return descriptor_limit();
}

std::size_t free_descriptors(std::size_t limit) {
  std::error_code failed;
  const std::filesystem::directory_iterator entries("/proc/self/fd", failed);
  // Where /proc is missing: 0 to 2, the epoll descriptor and the like. A wrong guess costs some EMFILE.
  const std::size_t used = failed ? 8 : static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
  return limit > used + kKeptFree ? limit - used - kKeptFree : 1;
}

}  // namespace pier
