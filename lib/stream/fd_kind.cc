#include "stream/fd_kind.h"

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace pier {

FdKind fd_kind(int fd) {
  struct stat info{};
  if (fd < 0 || ::fstat(fd, &info) != 0) return FdKind::other;
  if (S_ISREG(info.st_mode)) return FdKind::regular;
  if (S_ISFIFO(info.st_mode)) return FdKind::pipe;
  if (S_ISSOCK(info.st_mode)) return FdKind::socket;
  if (S_ISCHR(info.st_mode)) {
    if (info.st_rdev == makedev(1, 3)) return FdKind::null_device;  // null(4)
    if (::isatty(fd) == 1) return FdKind::terminal;
  }
  return FdKind::other;
}

std::optional<std::uint64_t> bytes_waiting(const RawEnd& end) {
  if (end.kind == FdKind::regular) {
    struct stat info{};
    const off_t offset = ::lseek(end.fd, 0, SEEK_CUR);
    if (offset < 0 || ::fstat(end.fd, &info) != 0) return std::nullopt;
    return info.st_size > offset ? static_cast<std::uint64_t>(info.st_size - offset) : 0;
  }
  int count = 0;
  if (end.kind == FdKind::pipe && ::ioctl(end.fd, FIONREAD, &count) == 0)
    return static_cast<std::uint64_t>(count);
  return std::nullopt;
}

}  // namespace pier
