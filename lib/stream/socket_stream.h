// A connected stream socket (TCP, Unix, vsock) as a Stream.
#pragma once

#include "base/fd.h"
#include "stream/stream.h"

namespace pier {

class SocketStream final : public Stream {
 public:
  explicit SocketStream(Fd fd) : fd_(std::move(fd)) {}  // takes ownership; must be non-blocking

  // Gives the socket back; nothing else may be asked of this then.
  [[nodiscard]] Fd release() { return std::move(fd_); }

  [[nodiscard]] int read_fd() const override { return fd_.get(); }
  [[nodiscard]] int write_fd() const override { return fd_.get(); }
  [[nodiscard]] Io read(std::span<std::byte> into) override;
  [[nodiscard]] Io write(std::span<const std::byte> from) override;
  void finish_writing() override;
  void abort() override;
  [[nodiscard]] std::size_t unacknowledged() const override;
  [[nodiscard]] int take_failure() override;
  void discard_input() override;
  [[nodiscard]] RawEnd raw_input() const override { return {fd_.get(), FdKind::socket}; }
  [[nodiscard]] RawEnd raw_output() const override { return {fd_.get(), FdKind::socket}; }

 private:
  Fd fd_;
};

}  // namespace pier
