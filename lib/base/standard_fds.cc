#include "base/standard_fds.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace pier {

bool occupy(int fd) {
  if (::fcntl(fd, F_GETFD) != -1 || errno != EBADF) return false;
  // The lowest free number is taken, and those below fd are in use by now.
  (void)::open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY);
  return true;
}

}  // namespace pier
