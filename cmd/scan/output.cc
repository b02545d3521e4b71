#include "cmd/scan/output.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace pier::scan {
namespace {

const std::string kPartial = ".partial";

}  // namespace

Result<std::unique_ptr<Output>> Output::open(const App& app, const std::optional<std::string>& path,
                                             bool flush_lines) {
  std::unique_ptr<Output> output(new Output);
  if (!path || *path == "-") {
    output->style_ = app.out;
    output->writer_ = std::make_unique<Writer>(STDOUT_FILENO, flush_lines);
    return output;
  }
  output->path_ = *path;
  std::error_code ignored;
  const auto kind = std::filesystem::status(*path, ignored).type();
  if (kind == std::filesystem::file_type::regular || kind == std::filesystem::file_type::not_found) {
    // A symbolic link stays one: its target is what gets replaced.
    const auto target = std::filesystem::weakly_canonical(*path, ignored);
    auto file = AtomicFile::create(ignored || target.empty() ? *path : target.string());
    if (!file) return std::unexpected(file.error());
    output->file_.emplace(std::move(*file));
    output->writer_ = std::make_unique<Writer>(output->file_->fd(), flush_lines);
    return output;
  }
  output->device_ = Fd(retry_eintr([&] { return ::open(path->c_str(), O_WRONLY | O_CLOEXEC); }));
  if (!output->device_.valid()) return system_error("open", pier::quoted(*path), errno, ErrorKind::local);
  output->writer_ = std::make_unique<Writer>(output->device_.get(), flush_lines);
  return output;
}

Result<std::unique_ptr<Output>> Output::open_resumable(const App& app, const std::optional<std::string>& path,
                                                       std::uint64_t resume_at) {
  if (!path || *path == "-" || AtomicFile::is_special(*path)) return open(app, path, false);
  std::unique_ptr<Output> output(new Output);
  output->path_ = *path;
  const std::string partial = *path + kPartial;
  output->partial_ =
      Fd(retry_eintr([&] { return ::open(partial.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666); }));
  const int fd = output->partial_.get();
  if (fd < 0) return system_error("open", pier::quoted(partial), errno, ErrorKind::local);
  // Kept until the process ends, however it does.
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0)
    return fail(ErrorKind::local, "open " + pier::quoted(partial), "", "another scan is writing it");
  struct stat there{};
  if (::fstat(fd, &there) != 0 || static_cast<std::uint64_t>(there.st_size) < resume_at)
    return fail(ErrorKind::local, "resume " + pier::quoted(partial), "",
                "it is shorter than the checkpoint says");
  const auto size = static_cast<off_t>(resume_at);
  if (::ftruncate(fd, size) != 0 || ::lseek(fd, size, SEEK_SET) != size)
    return system_error("truncate", pier::quoted(partial), errno, ErrorKind::local);
  output->writer_ = std::make_unique<Writer>(fd, false);
  return output;
}

int Output::leave(const App& app, int code) {
  writer_->flush();
  if (path_.empty()) return app.finish(*writer_, code);
  return writer_->ok()
             ? code
             : app.fail(Error{ErrorKind::local, "write", pier::quoted(path_), writer_->failure(), {}});
}

int Output::finish(const App& app, int code) {
  if (path_.empty()) return app.finish(*writer_, code);
  writer_->flush();
  if (!writer_->ok())
    return app.fail(Error{ErrorKind::local, "write", pier::quoted(path_), writer_->failure(), {}});
  if (partial_.valid()) {
    if (::rename((path_ + kPartial).c_str(), path_.c_str()) == 0) return code;
    return app.fail(Error{ErrorKind::local, "rename", pier::quoted(path_), errno, {}});
  }
  if (!file_) return code;
  const auto committed = file_->commit();
  return committed ? code : app.fail(committed.error());
}

}  // namespace pier::scan
