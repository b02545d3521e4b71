// The file that binding a Unix socket to a path leaves behind.
#pragma once

#include <sys/stat.h>

#include <string>

#include "net/address.h"

namespace pier {

// Removes the file when destroyed, as long as it is still the very one that was there when this was made.
// Empty when default-constructed or moved from.
class SocketFile {
 public:
  SocketFile() = default;
  // The file of a socket of ours that has just been bound to `address`; empty where that leaves none (an
  // abstract name, an Internet address).
  explicit SocketFile(const SocketAddress& address);
  SocketFile(SocketFile&& other) noexcept;
  SocketFile& operator=(SocketFile&& other) noexcept;
  ~SocketFile() { remove(); }

 private:
  void remove();

  std::string path_;  // empty: nothing to remove
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace pier
