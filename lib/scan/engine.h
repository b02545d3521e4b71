// Works through a plan: keeps a window of probes in flight, asks again where nothing answered, and reports.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "scan/interrupt.h"
#include "scan/pace.h"
#include "scan/plan.h"
#include "scan/prober.h"
#include "scan/result.h"

namespace pier {

// Who is told of results as they come.
class ScanObserver {
 public:
  virtual ~ScanObserver() = default;
  // False ends the scan: nobody wants to know any more.
  [[nodiscard]] virtual bool result(const PortResult& result) = 0;
  // From time to time, when ScanLimits::tick asks for it.
  virtual void progress(const ScanStats&) {}
};

struct ScanLimits {
  std::size_t window = 512;                // probes in flight; at least 1
  unsigned retries = 2;                    // further probes for a port that has not answered
  std::optional<std::uint64_t> rate = {};  // probes a second
  Deadline deadline = {};                  // of the whole
  std::optional<Duration> tick = {};       // how often progress() is called
};

enum class ScanEnd : std::uint8_t {
  complete,
  deadline,     // ScanLimits::deadline has passed
  interrupted,  // by a signal
  unwanted,     // the observer said so
};

// One scan. When this host runs out of descriptors, memory or source ports, the window shrinks, and what did
// not fit is asked later; only when it does not fit alone either, again and again, is it an `error`.
class ScanEngine {
 public:
  // All must outlive the engine. `interrupt` may be null.
  ScanEngine(const ProbePlan& plan, Prober& prober, const ScanLimits& limits, ScanObserver& observer,
             Interrupt* interrupt);

  ScanEnd run();
  [[nodiscard]] const ScanStats& stats() const { return stats_; }

 private:
  struct Question {
    Pair pair;
    unsigned tries = 0;      // probes that went out and did not meet themselves
    unsigned to_itself = 0;  // those that did
  };

  [[nodiscard]] ScanEnd work();
  [[nodiscard]] bool nothing_left() const { return next_ == plan_.size() && again_.empty() && late_.empty(); }
  [[nodiscard]] bool may_send(TimePoint when) const;
  [[nodiscard]] Question take_question();
  void send_burst();
  [[nodiscard]] Deadline wait_until() const;
  // Each is false when the observer wants no more.
  [[nodiscard]] bool settle(const ProbeEnd& end);
  [[nodiscard]] bool settle_shortage(Question question, const Judgement& judgement);
  [[nodiscard]] bool report(const Question& question, const Judgement& judgement,
                            std::optional<Duration> rtt);
  void grow_window();

  const ProbePlan& plan_;
  Prober& prober_;
  ScanLimits limits_;
  ScanObserver& observer_;
  Interrupt* interrupt_;
  ScanStats stats_;
  Pace pace_;
  TimePoint started_ = now();
  TimePoint next_tick_ = started_;

  std::uint64_t next_ = 0;       // of the plan
  std::deque<Question> again_;   // before all others: there was no room for them, or they met themselves
  std::deque<Question> late_;    // after all others: nobody answered
  std::vector<Question> asked_;  // in flight, by tag
  std::vector<std::size_t> free_tags_;
  std::unordered_set<std::uint64_t> up_;  // hosts

  std::size_t window_;
  std::size_t ended_well_ = 0;  // since the window changed
  unsigned stuck_ = 0;          // shortages in a row with nothing in flight
  TimePoint resume_at_ = TimePoint::min();
};

}  // namespace pier
