#include "cmd/scan/output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace pier::scan {

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

int Output::finish(const App& app, int code) {
  if (path_.empty()) return app.finish(*writer_, code);
  writer_->flush();
  if (!writer_->ok())
    return app.fail(Error{ErrorKind::local, "write", pier::quoted(path_), writer_->failure(), {}});
  if (!file_) return code;
  const auto committed = file_->commit();
  return committed ? code : app.fail(committed.error());
}

}  // namespace pier::scan
