// A file that is either there whole or not at all.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"

namespace pier {

// Written beside `path` under a name of its own and renamed onto it by commit(); without that nothing is left
// behind. Mode 0666 less the umask, or the mode and, as far as allowed, the owner of the file that is there,
// which must be writable. A pipe or device at `path` (a FIFO, /dev/stdout, /dev/fd/63) is written to as it
// is, and opening a FIFO waits for its reader. Errors are ErrorKind::local and name the path.
class AtomicFile {
 public:
  [[nodiscard]] static Result<AtomicFile> create(const std::string& path);
  // Whether `path` is something that is written to as it is.
  [[nodiscard]] static bool is_special(const std::string& path);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] Result<void> write(std::string_view text);
  // Closes the file and gives it its name.
  [[nodiscard]] Result<void> commit();

 private:
  AtomicFile(Fd fd, std::string path, std::string temporary)
      : fd_(std::move(fd)), path_(std::move(path)), temporary_(std::move(temporary)) {}

  Fd fd_;
  std::string path_;
  std::string temporary_;  // empty once committed or moved from, or where the path itself is written
};

// All of it in one call.
[[nodiscard]] Result<void> write_file_atomically(const std::string& path, std::string_view text);

// write(2) until everything is written; the errno otherwise, or 0. For blocking descriptors.
[[nodiscard]] int write_all(int fd, std::string_view text);

}  // namespace pier
