// One scan, from the words of the command line to the exit code.
#pragma once

#include "cli/app.h"

namespace pier::scan {

[[nodiscard]] int run(const App& app);

}  // namespace pier::scan
