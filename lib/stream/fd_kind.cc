#include "stream/fd_kind.h"

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

}  // namespace pier
