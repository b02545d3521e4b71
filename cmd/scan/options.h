// What the words of pier-scan's command line ask for, checked before any socket is made.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/app.h"
#include "net/step.h"
#include "ports/port_set.h"
#include "scan/engine.h"
#include "scan/order.h"
#include "scan/plan.h"
#include "scan/prober.h"

namespace pier::scan {

constexpr std::size_t kWindow = 4096;
constexpr std::uint64_t kShardSeed = 0;  // with --shard and without --seed: the same on every machine
constexpr Duration kProbeTimeout = std::chrono::seconds(1);

struct Options {
  PortSet ports;
  std::optional<PortSet> expected;  // --expect
  std::set<PortState> shown;
  ScanLimits limits;
  ProbeSource source;
  std::uint64_t seed = 0;
  Shard shard;
  bool syn = false;
  bool json = false;
  bool dry_run = false;
  bool progress = false;
};

// Everything but the targets. Only usage errors: nothing is read, opened or looked up.
[[nodiscard]] Result<Options> read_options(const App& app);

// The targets, which reads the lists they name and looks names up, telling `steps` when there is one; and
// with them the plan.
[[nodiscard]] Result<ProbePlan> make_plan(const App& app, const Options& options, StepSink* steps);

}  // namespace pier::scan
