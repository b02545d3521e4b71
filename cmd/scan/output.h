// Where results go: standard output, or a file that appears whole.
#pragma once

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

  [[nodiscard]] Writer& writer() { return *writer_; }
  [[nodiscard]] const Style& style() const { return style_; }

  // Puts the file in its place. The exit code: `code`, 141 when the reader of standard output has gone, or 2
  // when it could not be written, which is told.
  int finish(const App& app, int code);

 private:
  Output() = default;

  Style style_;
  std::string path_;  // empty: standard output
  std::optional<AtomicFile> file_;
  Fd device_;
  std::unique_ptr<Writer> writer_;
};

}  // namespace pier::scan
