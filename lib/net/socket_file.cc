#include "net/socket_file.h"

#include <unistd.h>

#include <utility>

namespace pier {

SocketFile::SocketFile(const SocketAddress& address) {
  if (!address.is_unix() || address.path().empty() || address.path().starts_with('@')) return;
  struct stat file{};
  const std::string path(address.path());
  if (::lstat(path.c_str(), &file) != 0) return;
  path_ = path;
  device_ = file.st_dev;
  inode_ = file.st_ino;
}

SocketFile::SocketFile(SocketFile&& other) noexcept
    : path_(std::exchange(other.path_, {})), device_(other.device_), inode_(other.inode_) {}

SocketFile& SocketFile::operator=(SocketFile&& other) noexcept {
  if (this == &other) return *this;
  remove();
  path_ = std::exchange(other.path_, {});
  device_ = other.device_;
  inode_ = other.inode_;
  return *this;
}

void SocketFile::remove() {
  if (path_.empty()) return;
  struct stat file{};
  if (::lstat(path_.c_str(), &file) == 0 && file.st_dev == device_ && file.st_ino == inode_)
    ::unlink(path_.c_str());
  path_.clear();
}

}  // namespace pier
