// Descriptors 0, 1 and 2 belong to stdin, stdout and stderr even where the caller has closed them.
#pragma once

namespace pier {

// Where `fd` (0 to 2, asked for in this order) is closed, puts /dev/null there, so that no socket or file
// gets its number, and says true.
bool occupy(int fd);

}  // namespace pier
