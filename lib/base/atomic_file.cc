#include "base/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

namespace pier {

int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = retry_eintr([&] { return ::write(fd, text.data(), text.size()); });
    if (n < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return 0;
}

Result<AtomicFile> AtomicFile::create(const std::string& given) {
  if (is_special(given)) {
    Fd open(::open(given.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY));
    if (!open.valid()) return system_error("open", quoted(given), errno, ErrorKind::local);
    return AtomicFile(std::move(open), given, {});
  }
  struct stat there{};
  const bool exists = ::stat(given.c_str(), &there) == 0;
  if (exists && S_ISDIR(there.st_mode)) return system_error("open", quoted(given), EISDIR, ErrorKind::local);
  // A rename needs no right to the file it replaces; a user who took it away meant something by it.
  if (exists && ::access(given.c_str(), W_OK) != 0)
    return system_error("open", quoted(given), errno, ErrorKind::local);
  // A symbolic link stays one: what it points to is replaced.
  const std::unique_ptr<char, void (*)(void*)> real(exists ? ::realpath(given.c_str(), nullptr) : nullptr,
                                                    std::free);
  const std::string path = real ? real.get() : given;
  std::string temporary = path + ".XXXXXX";
  Fd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd.valid()) return system_error("open", quoted(path), errno, ErrorKind::local);
  // mkostemp makes it 0600; the file is to be as if it had been written in place.
  const mode_t mask = ::umask(0);
  ::umask(mask);
  if (exists && ::fchown(fd.get(), there.st_uid, there.st_gid) != 0) errno = 0;  // only root gives files away
  ::fchmod(fd.get(), exists ? there.st_mode & 0777 : 0666 & ~mask);
  return AtomicFile(std::move(fd), path, std::move(temporary));
}

bool AtomicFile::is_special(const std::string& path) {
  // A rename would put a file in the place of a pipe somebody reads, or of a device: those are written to.
  struct stat there{};
  return ::stat(path.c_str(), &there) == 0 && !S_ISREG(there.st_mode) && !S_ISDIR(there.st_mode);
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : fd_(std::move(other.fd_)),
      path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, std::string())) {}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Result<void> AtomicFile::write(std::string_view text) {
  if (const int code = write_all(fd_.get(), text); code != 0)
    return system_error("write", quoted(path_), code, ErrorKind::local);
  return {};
}

Result<void> AtomicFile::commit() {
  if (temporary_.empty()) return {};
  if (const int code = fd_.close_told(); code != 0)
    return system_error("write", quoted(path_), code, ErrorKind::local);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0)
    return system_error("rename", quoted(path_), errno, ErrorKind::local);
  temporary_.clear();
  return {};
}

Result<void> write_file_atomically(const std::string& path, std::string_view text) {
  auto file = AtomicFile::create(path);
  if (!file) return std::unexpected(file.error());
  if (auto written = file->write(text); !written) return written;
  return file->commit();
}

}  // namespace pier
