// This side of a session: where what is sent comes from (stdin, or --send FILE) and where what is received
// goes (stdout, or --recv FILE). The one place where both are opened, for listen and connect.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/fd.h"
#include "cli/app.h"
#include "stream/stdio.h"

namespace pier {

class LocalEnds {
 public:
  // Opens --send's file, and a device or FIFO that --recv names; opening a FIFO waits for its other end,
  // which is why this comes before signals are caught. Reads nothing. ErrorKind::usage where the options
  // contradict each other, ErrorKind::local where a file can't be opened.
  [[nodiscard]] static Result<std::unique_ptr<LocalEnds>> open(const App& app);

  // Makes the file that --recv's bytes go to until they are complete, beside its name. Once, after signals
  // are caught: from here on an end by a signal takes it away again.
  [[nodiscard]] Result<void> prepare();

  // Only after prepare().
  [[nodiscard]] StdioStream& stream() { return *stream_; }

  [[nodiscard]] int input_fd() const;
  [[nodiscard]] bool from_stdin() const { return !input_.valid(); }
  [[nodiscard]] FdKind in_kind() const { return fd_kind(input_fd()); }
  // What errors call them: "standard input", "'report.pdf'".
  [[nodiscard]] std::string input_name() const;
  [[nodiscard]] std::string output_name() const;
  // --send's file once more, from its beginning, for one client of many: as it is by then under its name.
  [[nodiscard]] Result<std::unique_ptr<Stream>> open_again() const;
  // How many bytes the input has yet to give, where that is known: a regular file, from where it is read.
  [[nodiscard]] std::optional<std::uint64_t> input_size() const;
  // The files' names without their folders, or empty for stdin and stdout.
  [[nodiscard]] std::string send_title() const;
  [[nodiscard]] std::string recv_title() const;

  // The end: a complete --recv file gets its name; an incomplete one only with --partial, else it is removed.
  // A sentence tells what became of an incomplete one ("'x' is not kept: 12 B of it had arrived"). Once;
  // empty after that, and where there is no such file.
  [[nodiscard]] Result<std::string> settle(bool complete, std::uint64_t received);

 private:
  LocalEnds() = default;

  std::string send_path_;  // empty for stdin
  std::string recv_path_;  // empty for stdout
  bool partial_ = false;
  bool special_ = false;  // --recv names a device or FIFO, which is written to as it is
  bool settled_ = false;
  Fd input_;
  std::optional<AtomicFile> output_;
  std::optional<StdioStream> stream_;
};

}  // namespace pier
