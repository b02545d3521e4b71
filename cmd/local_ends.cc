#include "cmd/local_ends.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "stream/file_stream.h"

namespace pier {
namespace {

Result<Fd> open_to_read(const std::string& path) {
  Fd fd(retry_eintr([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY); }));
  if (!fd.valid()) return system_error("open", quoted(path), errno, ErrorKind::local);
  struct stat info{};
  if (::fstat(fd.get(), &info) == 0 && S_ISDIR(info.st_mode))
    return system_error("read", quoted(path), EISDIR, ErrorKind::local);
  return fd;
}

// The value of an option that names a file, empty where it stands for the standard stream.
Result<std::string> path_of(const Parsed& args, std::string_view flag) {
  auto path = args.text(flag);
  if (!path || *path == "-") return std::string();
  if (path->empty())
    return usage_error("--" + std::string(flag), "", "give a file, or - for the standard stream");
  return *path;
}

}  // namespace

Result<std::unique_ptr<LocalEnds>> LocalEnds::open(const App& app) {
  std::unique_ptr<LocalEnds> ends(new LocalEnds);
  auto send = path_of(app.args, "send");
  if (!send) return std::unexpected(send.error());
  auto recv = path_of(app.args, "recv");
  if (!recv) return std::unexpected(recv.error());
  ends->send_path_ = std::move(*send);
  ends->recv_path_ = std::move(*recv);
  ends->partial_ = app.args.has("partial");
  if (ends->partial_ && ends->recv_path_.empty())
    return fail(ErrorKind::usage, "--partial", "", "it is for the file that --recv names");
  if (!ends->send_path_.empty()) {
    auto input = open_to_read(ends->send_path_);
    if (!input) return std::unexpected(input.error());
    ends->input_ = std::move(*input);
  }
  ends->special_ = !ends->recv_path_.empty() && AtomicFile::is_special(ends->recv_path_);
  if (ends->special_) {
    auto output = AtomicFile::create(ends->recv_path_);
    if (!output) return std::unexpected(output.error());
    ends->output_.emplace(std::move(*output));
  }
  return ends;
}

Result<void> LocalEnds::prepare() {
  if (!recv_path_.empty() && !output_) {
    auto output = AtomicFile::create(recv_path_);
    if (!output) return std::unexpected(output.error());
    output_.emplace(std::move(*output));
  }
  stream_.emplace(input_fd(), output_ ? output_->fd() : STDOUT_FILENO);
  return {};
}

int LocalEnds::input_fd() const {
  return input_.valid() ? input_.get() : STDIN_FILENO;
}

std::string LocalEnds::input_name() const {
  return send_path_.empty() ? "standard input" : quoted(send_path_);
}

std::string LocalEnds::output_name() const {
  return recv_path_.empty() ? "standard output" : quoted(recv_path_);
}

Result<std::unique_ptr<Stream>> LocalEnds::open_again() const {
  auto file = open_to_read(send_path_);
  if (!file) return std::unexpected(file.error());
  if (fd_kind(file->get()) != FdKind::regular)
    return fail(ErrorKind::local, "read", quoted(send_path_),
                "only a regular file can be sent to each client");
  return std::make_unique<FileStream>(std::move(*file));
}

std::optional<std::uint64_t> LocalEnds::input_size() const {
  struct stat info{};
  if (::fstat(input_fd(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  const off_t at = ::lseek(input_fd(), 0, SEEK_CUR);
  return at < info.st_size ? static_cast<std::uint64_t>(info.st_size - std::max<off_t>(at, 0)) : 0;
}

std::string LocalEnds::send_title() const {
  return send_path_.substr(send_path_.find_last_of('/') + 1);
}

std::string LocalEnds::recv_title() const {
  return recv_path_.substr(recv_path_.find_last_of('/') + 1);
}

Result<std::string> LocalEnds::settle(bool complete, std::uint64_t received) {
  if (!output_ || special_ || settled_) return std::string();
  settled_ = true;
  if (complete || partial_)
    if (const auto named = output_->commit(); !named) return std::unexpected(named.error());
  output_.reset();
  if (complete) return std::string();
  if (partial_) return fmt::format("{} has the {} B that arrived", output_name(), received);
  return fmt::format("{} is not kept: {} B of it had arrived (--partial would keep them)", output_name(),
                     received);
}

}  // namespace pier
