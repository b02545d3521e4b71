// The checkpoint file of a scan: written while it goes on, and read to go on with it.
#pragma once

#include <memory>
#include <string>

#include "cli/app.h"
#include "cmd/scan/options.h"
#include "cmd/scan/output.h"
#include "cmd/scan/report.h"
#include "scan/checkpoint.h"
#include "scan/plan.h"

namespace pier::scan {

// Writes the checkpoint once a second at most, and with --syn less often where that would take more than a
// twentieth of the time; more often where half a million results wait for it. What goes to stdout is written
// after it: a pair is never told twice. What goes to a file is written before it, and taken back on resuming
// where it came too early.
class FileJournal final : public ScanJournal {
 public:
  // All must outlive it. `checkpoint` has what does not change.
  FileJournal(std::string path, Checkpoint checkpoint, Output& output, Report& report)
      : path_(std::move(path)), checkpoint_(std::move(checkpoint)), output_(output), report_(report) {}

  [[nodiscard]] bool due(TimePoint when) const override;
  [[nodiscard]] bool before_results(const ScanProgress& progress, std::span<const PortResult> results,
                                    bool complete) override;
  [[nodiscard]] bool after_results(const ScanProgress& progress, bool complete) override;

  [[nodiscard]] const std::string& path() const { return path_; }
  // Why the last one could not be written.
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }

 private:
  [[nodiscard]] bool write(const ScanProgress& progress, bool complete, TimePoint began);

  std::string path_;
  Checkpoint checkpoint_;
  Output& output_;
  Report& report_;
  TimePoint due_ = TimePoint::min();
  std::optional<Error> failure_;
};

// How the engine came to its end.
struct RunEnd {
  ScanEnd end = ScanEnd::complete;
  const ScanStats& stats;
  std::span<const IpAddress> given_up;
  std::optional<int> signal;
};

// What follows: the summary, the results in their place or left to be gone on from, and how to go on. The
// exit code. `journal` is null without a checkpoint.
[[nodiscard]] int end_run(const App& app, Report& report, Output& output, const FileJournal* journal,
                          const RunEnd& run);

// What a checkpoint says of the scan itself.
[[nodiscard]] Checkpoint describe(const App& app, const Options& options, const ProbePlan& plan);

// A usage error when `path` holds a scan that has not come to its end, or no checkpoint at all.
[[nodiscard]] Result<void> check_free(const std::string& path);

// The command line that a checkpoint was made with, and of `given` what is of one run only (--progress,
// --limit-time and the like). A usage error where `given` asks for something else.
[[nodiscard]] Result<Parsed> resumed_words(const Command& command, const Parsed& given,
                                           const Checkpoint& checkpoint, const std::string& path);

// The hosts of a checkpoint.
[[nodiscard]] Result<TargetSet> resumed_targets(const Checkpoint& checkpoint);

}  // namespace pier::scan
