// Where results go: standard output, or a file that appears whole.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/fd.h"
#include "cli/app.h"
#include "out/style.h"
#include "out/writer.h"

namespace pier::scan {

class Output {
 public:
  // `path` as given to -o: nullopt or "-" is standard output. A regular file, or one to be made, is written
  // beside and renamed by finish(); what is none (a device, a FIFO) is written to as it is. `flush_lines`: as
  // Writer.
  [[nodiscard]] static Result<std::unique_ptr<Output>> open(const App& app,
                                                            const std::optional<std::string>& path,
                                                            bool flush_lines);

  // The same for a scan with a checkpoint: of a regular file, what is written so far is kept in
  // `path`.partial when the scan does not come to its end, and `resume_at` bytes of that are gone on from.
  [[nodiscard]] static Result<std::unique_ptr<Output>> open_resumable(const App& app,
                                                                      const std::optional<std::string>& path,
                                                                      std::uint64_t resume_at);

  [[nodiscard]] Writer& writer() { return *writer_; }
  // The file that stays behind; -1 without one.
  [[nodiscard]] int partial_fd() const { return partial_.get(); }
  [[nodiscard]] const Style& style() const { return style_; }

  // The file that finish() renames; empty where there is none.
  [[nodiscard]] std::string renamed_path() const { return file_ || partial_.valid() ? path_ : std::string(); }

  // Puts the file in its place. The exit code: `code`, 141 when the reader of standard output has gone, or 2
  // when it could not be written, which is told.
  int finish(const App& app, int code);
  // What is in `path`.partial stays there, to be gone on from.
  int leave(const App& app, int code);

 private:
  Output() = default;

  Style style_;
  std::string path_;  // empty: standard output
  std::optional<AtomicFile> file_;
  Fd device_;
  Fd partial_;
  std::unique_ptr<Writer> writer_;
};

}  // namespace pier::scan
