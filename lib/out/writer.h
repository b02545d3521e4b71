// Buffered output on a descriptor whose failures are kept, not lost: a closed pipe or a full disk is seen at
// the end.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace pier {

// Writes in blocks of 64 KiB; `line_flush` (for NDJSON and terminals) writes at every end_line(). Does not
// own the descriptor.
class Writer {
 public:
  explicit Writer(int fd, bool line_flush = false) : fd_(fd), line_flush_(line_flush) {}
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void put(std::string_view text);
  void line(std::string_view text);  // put(text), a newline, and the flush of a line
  void flush();
  // The errno of the first write that failed, else 0. After a failure nothing more is written.
  [[nodiscard]] int failure() const { return failure_; }
  [[nodiscard]] bool ok() const { return failure_ == 0; }

 private:
  int fd_;
  bool line_flush_;
  int failure_ = 0;
  std::string buffer_;
};

}  // namespace pier
