// How pier-scan says what it finds: rows or records as they come, then what it comes to.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cli/app.h"
#include "cmd/scan/options.h"
#include "net/step.h"
#include "out/explain.h"
#include "out/nmap_xml.h"
#include "out/progress.h"
#include "out/text.h"
#include "out/writer.h"
#include "ports/ephemeral.h"
#include "scan/banner.h"
#include "scan/engine.h"

namespace pier::scan {

class Report final : public ScanObserver {
 public:
  // Both must outlive the report.
  Report(const App& app, const Options& options);

  // Who is told the steps of --explain; nullptr without it.
  [[nodiscard]] StepSink* steps();

  // From here on results go to `out`, in `style`: the first record. `out` must outlive the report.
  // `resumed`: it goes on with an earlier run; `goes_on`: in the same output, which has a first record.
  void start(const ProbePlan& plan, Writer& out, const Style& style, bool resumed, bool goes_on);
  [[nodiscard]] bool result(const PortResult& result) override;
  [[nodiscard]] bool crowded(const CrowdedHost& host) override;
  void progress(const ScanStats& stats) override;
  void note(std::string_view line) override;
  void detail(std::string_view line) override;
  // How often progress() is worth calling.
  [[nodiscard]] Duration tick() const;
  // One line of a dry run; false when nobody reads it any more.
  [[nodiscard]] bool pair(const Pair& pair);
  // The summary, and the exit code. `signal`: its number where one ended the scan.
  // `given_up`: hosts that were not asked to the end.
  int end(ScanEnd end, const ScanStats& stats, std::span<const IpAddress> given_up,
          std::optional<int> signal);
  // The same without a summary in the output, which has not come to its end.
  int end_to_be_resumed(ScanEnd end, const ScanStats& stats, std::span<const IpAddress> given_up,
                        std::optional<int> signal);
  // The exit code of a scan that came to its end.
  [[nodiscard]] int exit_code_of(const ScanStats& stats) const {
    return exit_code(ScanEnd::complete, stats, std::nullopt);
  }
  // Of --expect: so far, and what these results would add.
  [[nodiscard]] std::uint64_t drift() const { return drift_; }
  [[nodiscard]] std::uint64_t drift_of(std::span<const PortResult> results) const;
  // Goes on counting where an earlier run was.
  void restore(const Checkpoint& checkpoint) { drift_ = checkpoint.drift; }
  // With --banner: the open TCP ports found, which are not shown before they have been asked what they are.
  [[nodiscard]] std::vector<PortResult> take_unshown() { return std::exchange(unshown_, {}); }
  // False where nobody reads it any more.
  bool show_with(const PortResult& result, const Banner& banner);
  // After end(), where --xml asks for it: the whole document.
  void write_xml(Writer& out, const ScanStats& stats) const;
  int end_dry_run(std::uint64_t pairs, std::optional<int> signal);

 private:
  // The steps as records among the others.
  class StepRecords final : public StepSink {
   public:
    explicit StepRecords(Report& report) : report_(report) {}
    void step(const Step& step) override;

    // Steps before the first record, which is "start", wait for it.
    void begin();

   private:
    Report& report_;
    bool begun_ = false;
    std::vector<std::string> early_;
  };

  void show(PortResult result, const Banner* banner = nullptr);
  [[nodiscard]] bool drifts(const PortResult& result) const;
  void compare(const PortResult& result);
  void note_end(ScanEnd end, const ScanStats& stats, std::span<const IpAddress> given_up,
                std::optional<int> signal);
  [[nodiscard]] int exit_code(ScanEnd end, const ScanStats& stats, std::optional<int> signal) const;

  const App& app_;
  const Options& options_;
  Writer* out_ = nullptr;
  std::optional<TextRows> rows_;
  HostPorts host_ = read_host_ports();
  StepRecords step_records_;
  Explain explain_;
  Progress progress_;
  std::uint64_t drift_ = 0;
  std::string first_error_;
  const ProbePlan* plan_ = nullptr;
  std::optional<NmapXml> xml_;
  std::vector<PortResult> unshown_;
  std::string ending_;  // why it is incomplete; empty when it is not
  std::string scope_;   // "scanning 254 hosts × 120 ports", of the progress line
};

}  // namespace pier::scan
