// Where results wait until it is known what they are worth, are counted, and go to whoever wants them.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "scan/host_state.h"
#include "scan/result.h"

namespace pier {

// Who is told of results as they come.
class ScanObserver {
 public:
  virtual ~ScanObserver() = default;
  // False ends the scan: nobody wants to know any more.
  [[nodiscard]] virtual bool result(const PortResult& result) = 0;
  [[nodiscard]] virtual bool crowded(const CrowdedHost&) { return true; }
  // From time to time, when ScanLimits::tick asks for it.
  virtual void progress(const ScanStats&) {}
  // One of the descriptors that a scan by SYNs waits for is readable (SynSocketsOptions::wake_fds). False as
  // of result().
  [[nodiscard]] virtual bool woken() { return true; }
  // A sentence about how the scan goes: one to be told, and one for -v.
  virtual void note(std::string_view) {}
  virtual void detail(std::string_view) {}
};

class ResultDesk {
 public:
  // Both must outlive it. `max_open`: of a host with more open ports than that, only the number is told.
  ResultDesk(ScanStats& stats, ScanObserver& observer, std::optional<std::uint64_t> max_open)
      : stats_(stats), observer_(observer), max_open_(max_open) {}

  // Takes a result. One that is open is held while host.canary is `asked`, and under `max_open` to the end of
  // the scan. All four are false when the observer wants no more.
  [[nodiscard]] bool take(HostState& host, PortResult result);
  // host.canary is clear or suspect from now on: what was held for it goes on.
  [[nodiscard]] bool canaries_known(HostState& host);
  // What is still held: at the end of the scan, however that came.
  [[nodiscard]] bool finish(HostState& host);

  // From now on results are kept until pass_kept(): a journal wants to come between.
  void keep() { keep_ = true; }
  [[nodiscard]] bool pass_kept();
  [[nodiscard]] std::span<const PortResult> kept() const { return kept_; }

 private:
  [[nodiscard]] bool pass_on(const HostState& host, PortResult result);
  [[nodiscard]] bool release(HostState& host);

  ScanStats& stats_;
  ScanObserver& observer_;
  std::optional<std::uint64_t> max_open_;
  bool keep_ = false;
  std::vector<PortResult> kept_;
};

}  // namespace pier
