// What a command's end means to the shell. These numbers are a promise: scripts depend on them.
#pragma once

#include "base/error.h"

namespace pier {

enum ExitCode : int {
  kExitYes = 0,          // it worked: connected, found, owned, matched
  kExitNo = 1,           // refused, reset, nothing open, not owned, unassigned
  kExitUsage = 2,        // wrong usage, or a fault of this host
  kExitUnknown = 3,      // cannot tell: filtered, open or filtered, the owner is hidden
  kExitDeadline = 124,   // a deadline of the user's passed, as timeout(1)
  kExitCannotRun = 126,  // the command to run could not be run
  kExitNotFound = 127,   // the command to run was not found
  kExitSignal = 128,     // plus the signal's number
};

[[nodiscard]] constexpr int exit_code_of(const Error& error) {
  switch (error.kind) {
    case ErrorKind::usage:
    case ErrorKind::local:
      return kExitUsage;
    case ErrorKind::failed:
      return kExitNo;
    case ErrorKind::unknown:
      return kExitUnknown;
    case ErrorKind::deadline:
      return kExitDeadline;
    case ErrorKind::cannot_run:
      return kExitCannotRun;
    case ErrorKind::not_found:
      return kExitNotFound;
  }
  return kExitUsage;
}

}  // namespace pier
