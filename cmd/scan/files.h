// What pier-scan does with the records of earlier scans: joining shards, and telling what has changed.
#pragma once

#include "cli/app.h"

namespace pier::scan {

// --merge FILES…: the records of all shards of one run as those of one scan. Exit as the scan's would be; 1
// when shards are missing or did not come to their end, which is told.
[[nodiscard]] int merge(const App& app);

// --diff OLD NEW: what is open (or else recorded) in one and not in the other. Exit 0 when nothing differs, 1
// when something does.
[[nodiscard]] int diff(const App& app);

}  // namespace pier::scan
