// Standard input and output as one Stream: descriptors this process shares with others.
//
// O_NONBLOCK belongs to the open file, not to the descriptor, so setting it here would change the shell's
// terminal and the next program's pipe. A pipe or terminal is therefore opened anew through /proc/self/fd,
// and where that is refused, written to in pieces that cannot block; before a read, poll(2) says that there
// is something.
#pragma once

#include "base/fd.h"
#include "stream/fd_kind.h"
#include "stream/stream.h"

namespace pier {

class StdioStream final : public Stream {
 public:
  // Does not own `in` and `out` (0 and 1 in the commands); either may be -1.
  StdioStream(int in, int out);

  [[nodiscard]] int read_fd() const override { return in_; }
  [[nodiscard]] int write_fd() const override { return reopened_.valid() ? reopened_.get() : out_; }
  [[nodiscard]] Io read(std::span<std::byte> into) override;
  [[nodiscard]] Io write(std::span<const std::byte> from) override;
  void finish_writing() override {}  // its reader sees the end when this process does
  void abort() override {}
  [[nodiscard]] RawEnd raw_input() const override;
  [[nodiscard]] RawEnd raw_output() const override;

  [[nodiscard]] FdKind in_kind() const { return in_kind_; }
  [[nodiscard]] FdKind out_kind() const { return out_kind_; }

 private:
  int in_;
  int out_;
  FdKind in_kind_;
  FdKind out_kind_;
  Fd reopened_;  // of out_, non-blocking
};

}  // namespace pier
