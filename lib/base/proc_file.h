// Reading the small text files of /proc.
#pragma once

#include <cstddef>
#include <string>

#include "base/error.h"

namespace pier {

// All of a file, up to `limit` bytes. Its size is not asked for: files of /proc have none. ErrorKind::local,
// with errno as the code.
[[nodiscard]] Result<std::string> read_file(const std::string& path, std::size_t limit = SIZE_MAX);

}  // namespace pier
