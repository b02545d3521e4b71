// What "up" means in a run: --stable, --expect with --send-text, --until-closed; --reply-timeout where an
// answer is waited for.
#pragma once

#include "cli/flags.h"
#include "scan/reach_attempt.h"

namespace pier::client {

// A usage error for an option that has nothing to be about, or text that does not fit.
[[nodiscard]] Result<Readiness> readiness_of(const Parsed& args);

// Puts it into the plan of one endpoint. `checks`: no session follows, so a UDP port is asked whether
// somebody is there. A usage error for what the endpoint's transport cannot show.
[[nodiscard]] Result<void> set_readiness(const Parsed& args, const Readiness& wanted, bool checks,
                                         ReachPlan& plan);

}  // namespace pier::client
