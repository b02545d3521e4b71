// A scan by SYNs (--syn): its sockets, then without privileges, then its engine.
#pragma once

#include "cli/app.h"
#include "cmd/scan/options.h"
#include "cmd/scan/output.h"
#include "cmd/scan/report.h"
#include "scan/checkpoint.h"
#include "scan/interrupt.h"

namespace pier::scan {

// The exit code. `output` has been opened already. `from`: what --resume goes on from, or null.
[[nodiscard]] int scan_by_syn(const App& app, const Options& options, const ProbePlan& plan,
                              const Checkpoint* from, Report& report, Output& output, Interrupt& interrupt);

}  // namespace pier::scan
