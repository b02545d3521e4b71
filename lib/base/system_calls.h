// Doing without most system calls, for good, before bytes of strangers are read.
#pragma once

#include <cstdint>
#include <span>

#include "base/error.h"

namespace pier {

struct AllowedCall {
  long number = 0;  // SYS_…
  // Only where this argument, counted from 0, has this value, and that one that; -1 for any.
  int argument = -1;
  std::uint32_t value = 0;
  int other_argument = -1;
  std::uint32_t other_value = 0;
};

// From here on, every system call of this process but these fails with EPERM, and no program that it runs can
// have more rights than it (seccomp(2) in filter mode, PR_SET_NO_NEW_PRIVS). ErrorKind::local; with
// ENOSYS or EINVAL where the kernel has no such filters.
[[nodiscard]] Result<void> allow_only(std::span<const AllowedCall> calls);

}  // namespace pier
