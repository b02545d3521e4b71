// How far a scan has come, so that another process can go on with it: as values, as text, and on disk.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "net/address.h"
#include "scan/result.h"
#include "scan/syn_progress.h"
#include "scan/waiting.h"

namespace pier {

// The state of ScanEngine or SynEngine, less what a new one finds out by itself.
struct ScanProgress {
  // Every pair of the plan from here on is still to be asked, but for what `syn` says…
  std::uint64_t next = 0;
  // …and of those before it, these.
  std::vector<Waiting> unsettled;
  ScanStats stats;

  struct HostMark {
    std::uint64_t index = 0;  // in the plan's targets
    bool suspect = false;
    bool clear = false;  // its canaries are known, and it is not suspect
  };
  // Hosts that are up. Of more than kMostHosts only the first: the others may be counted again.
  std::vector<HostMark> up;
  static constexpr std::size_t kMostHosts = 100'000;
  std::vector<IpAddress> given_up;

  struct Crowd {
    std::uint64_t host = 0;  // index in the plan's targets
    std::uint64_t open = 0;  // ports of which only the number is kept
  };
  std::vector<Crowd> crowds;
  std::optional<SynProgress> syn = {};  // of a SynEngine
};

struct Checkpoint {
  std::string run_id;                // ProbePlan::run_id()
  std::vector<std::string> words;    // the command line, less what is of one run only
  std::vector<std::string> targets;  // in the grammar of targets, names looked up and exclusions applied
  std::map<std::string, std::string> names;  // of addresses
  std::uint64_t seed = 0;
  bool complete = false;
  std::uint64_t output_size = 0;  // bytes of -o that belong to it
  std::uint64_t drift = 0;        // of --expect
  ScanProgress progress;

  [[nodiscard]] std::string to_text() const;
  // A usage error that names `where` for anything that to_text() does not write.
  [[nodiscard]] static Result<Checkpoint> parse(std::string_view text, std::string_view where);
};

[[nodiscard]] Result<Checkpoint> read_checkpoint(const std::string& path);

// Puts it in the place of the last one, or leaves that: after a power failure too, one of them is there.
// ErrorKind::local. Takes as long as fsync(2), and 20 ms (-O2) of the processor where it has 2.8 MB of bits.
[[nodiscard]] Result<void> write_checkpoint(const std::string& path, const Checkpoint& checkpoint);

// Where the engine leaves its progress. The results that it belongs to are passed on between the two calls.
class ScanJournal {
 public:
  virtual ~ScanJournal() = default;
  // Whether it is time for the next one.
  [[nodiscard]] virtual bool due(TimePoint when) const = 0;
  // Before the results that came since the last time are passed on, and after. False ends the scan.
  [[nodiscard]] virtual bool before_results(const ScanProgress& progress, std::span<const PortResult> results,
                                            bool complete) = 0;
  [[nodiscard]] virtual bool after_results(const ScanProgress& progress, bool complete) = 0;
};

}  // namespace pier
