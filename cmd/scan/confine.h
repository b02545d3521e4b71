// How little a scan by SYNs may do once its sockets are open, and how little the process beside it.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "cli/app.h"
#include "host/account.h"

namespace pier::scan {

// Who it is from then on: --user; where root scans without it, nobody, or with results in files whoever owns
// the directory of the first, as only that one may put it in its place. nullopt: as it is. Usage errors;
// ErrorKind::local where one of `files`, the paths of results, could then not be put in its place.
[[nodiscard]] Result<std::optional<Account>> scan_account(const App& app,
                                                          const std::vector<std::string>& files);

struct StillAllowed {
  std::optional<pid_t> child = {};  // a process that it may end
  bool new_files = false;  // it may make files that are not there yet (AtomicFile), and open no other
};

// Becomes that, drops all capabilities and every system call that is not needed. ErrorKind::local.
[[nodiscard]] Result<void> confine(const App& app, const std::optional<Account>& account,
                                   const StillAllowed& still);

// The same for the process that asks for banners: it may make TCP sockets and connect them, and a Unix
// datagram socket, by which the names of interfaces are asked for. It opens nothing else, and has nobody to
// end.
[[nodiscard]] Result<void> confine_asker(const std::optional<Account>& account);

}  // namespace pier::scan
