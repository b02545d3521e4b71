#include "base/proc_file.h"

#include <fcntl.h>

#include <algorithm>
#include <array>

#include "base/fd.h"

namespace pier {

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  const Fd fd(retry_eintr([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY); }));
  if (!fd.valid()) return system_error("open", path, errno, ErrorKind::local);
  std::string text;
  std::array<char, 16384> block;
  while (text.size() < limit) {
    const std::size_t want = std::min(block.size(), limit - text.size());
    const ssize_t n = retry_eintr([&] { return ::read(fd.get(), block.data(), want); });
    if (n < 0) return system_error("read", path, errno, ErrorKind::local);
    if (n == 0) break;
    text.append(block.data(), static_cast<std::size_t>(n));
  }
  return text;
}

}  // namespace pier
