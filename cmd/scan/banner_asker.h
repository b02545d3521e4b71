// The process of BannerProcess that asks.
#pragma once

#include <optional>

#include "base/fd.h"
#include "cli/app.h"
#include "host/account.h"
#include "scan/plan.h"
#include "scan/prober.h"

namespace pier::scan {

// All that the process does, from the fork to its end, which comes with that of `channel`. Signals that are
// blocked stay so: a Ctrl-C is for the other one, which then ends this.
//
// First comes a BannerMessage that says what is wrong in the text of its banner, or is empty when this is
// confined; then, for each number of a pair in the plan that is read, its banner.
[[noreturn]] void ask_banners(const App& app, const std::optional<Account>& account, const ProbePlan& plan,
                              const ProbeSource& source, Fd channel) noexcept;

}  // namespace pier::scan
