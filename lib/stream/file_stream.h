// A regular file, read from its beginning to its end.
#pragma once

#include <unistd.h>

#include <cerrno>

#include "base/fd.h"
#include "stream/fd_kind.h"
#include "stream/stream.h"

namespace pier {

class FileStream final : public Stream {
 public:
  explicit FileStream(Fd file) : file_(std::move(file)) {}  // takes ownership

  [[nodiscard]] int read_fd() const override { return file_.get(); }
  [[nodiscard]] int write_fd() const override { return -1; }
  [[nodiscard]] Io read(std::span<std::byte> into) override {
    return Io::of(retry_eintr([&] { return ::read(file_.get(), into.data(), into.size()); }), true);
  }
  // Nothing can be written to it: EBADF.
  [[nodiscard]] Io write(std::span<const std::byte>) override { return Io::error(EBADF); }
  void finish_writing() override {}
  void abort() override {}
  [[nodiscard]] RawEnd raw_input() const override { return {file_.get(), FdKind::regular}; }

 private:
  Fd file_;
};

}  // namespace pier
