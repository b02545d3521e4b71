// Where the user wants a record written: a file, or a descriptor that was passed to us.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"

namespace pier {

struct Sink {
  int fd = -1;
  Fd owned = {};  // of a file opened here; empty for a passed descriptor, which stays open
};

// `where` is a path, created or emptied, or "fd:N", a descriptor from 2 up, which is made close-on-exec. "-"
// is stdout where `stdout_is_free`; else stdout carries the peer's bytes, and it is refused. `flag` names the
// option in errors. ErrorKind::usage for text that is none of these, or a descriptor that is not open;
// ErrorKind::local when the file can't be made.
[[nodiscard]] Result<Sink> open_sink(std::string_view flag, const std::string& where,
                                     bool stdout_is_free = false);

}  // namespace pier
