// How many sockets this process may have.
#pragma once

#include <cstddef>

namespace pier {

// The soft limit of open descriptors.
[[nodiscard]] std::size_t descriptor_limit();

// Raises the soft limit of open descriptors to the hard one (getrlimit(2), RLIMIT_NOFILE) and returns what it
// then is. Only processes that use no select(2) may do so, as none of ours does.
std::size_t raise_descriptor_limit();

// How many further descriptors fit under the limit, less a few kept free for what else a program opens on its
// way (name lookup, a file); at least 1.
[[nodiscard]] std::size_t free_descriptors(std::size_t limit);

}  // namespace pier
