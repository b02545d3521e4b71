// What the words of pier-connect's command line ask for, checked before any socket is made.
#pragma once

#include <vector>

#include "cli/flags.h"
#include "event/dialer.h"

namespace pier::client {

struct Plan {
  std::vector<DialPlan> dials;  // one, but for --check and --wait
};

// Only usage errors: nothing is opened or looked up.
[[nodiscard]] Result<Plan> make_plan(const Parsed& args);

}  // namespace pier::client
