// A line read from a socket to its last byte and no further, so that what follows is still there for whoever
// is next: recv(2) with MSG_PEEK.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/error.h"

namespace pier {

class LineInput {
 public:
  // `most`: bytes of a line with its end.
  explicit LineInput(std::size_t most) : most_(most) {}

  // A line without its LF, or nothing while it is not there yet; does not wait. ErrorKind::failed where the
  // other side has ended or reset, or the line is too long.
  [[nodiscard]] Result<std::optional<std::string>> read(int fd);

 private:
  std::size_t most_;
  std::string begun_;
};

}  // namespace pier
