// Two pipes as one Stream: what a program writes is read, what it reads is written.
#pragma once

#include "base/fd.h"
#include "stream/stream.h"

namespace pier {

class PipeStream final : public Stream {
 public:
  // Takes both over: the reading end of one pipe and the writing end of another, non-blocking.
  PipeStream(Fd in, Fd out) : in_(std::move(in)), out_(std::move(out)) {}

  [[nodiscard]] int read_fd() const override { return in_.get(); }
  [[nodiscard]] int write_fd() const override { return out_.get(); }
  [[nodiscard]] Io read(std::span<std::byte> into) override;
  [[nodiscard]] Io write(std::span<const std::byte> from) override;
  // Closes the writing end, which must not be watched any more.
  void finish_writing() override { out_.reset(); }
  void abort() override {}
  [[nodiscard]] RawEnd raw_input() const override { return {in_.get(), FdKind::pipe}; }
  [[nodiscard]] RawEnd raw_output() const override { return {out_.get(), FdKind::pipe}; }

 private:
  Fd in_, out_;
};

}  // namespace pier
