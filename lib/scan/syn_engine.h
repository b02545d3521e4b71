// Works through a plan by SYNs of which nothing is remembered: sends at a rate, recognises answers by
// themselves, and asks again, later, what has not answered.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "scan/engine.h"
#include "scan/host_state.h"
#include "scan/interrupt.h"
#include "scan/plan.h"
#include "scan/rate_signals.h"
#include "scan/result.h"
#include "scan/result_desk.h"
#include "scan/rtt.h"
#include "scan/syn_checks.h"
#include "scan/syn_pace.h"
#include "scan/syn_rate.h"
#include "scan/syn_stretches.h"
#include "scan/syn_wire.h"
#include "scan/verdict.h"

namespace pier {

// Of each pair four bytes and a bit, or two, are kept, the time of its last probe and whether it has
// answered, and of no more than kMostAtOnce pairs: larger plans are worked through in parts of that size, 66
// MB. Beside that, each host with an open port costs some hundred bytes, and where hosts have more than one
// port to ask, each other one that answers a bit, or some forty bytes among more than 2^28; and with a
// journal, the results that wait for it, up to 70 MB.
class SynEngine {
 public:
  static constexpr std::uint64_t kMostAtOnce = SynProgress::kMostPairs;
  static constexpr std::uint64_t kDefaultRate = 10'000;
  static constexpr unsigned kMostRounds = 10;

  // All must outlive it; `interrupt` and `signals` may be null. Of the limits, the window counts for nothing,
  // and a rate must be there. The plan asks TCP ports only.
  SynEngine(const ProbePlan& plan, SynWire& wire, const ScanLimits& limits, ScanObserver& observer,
            Interrupt* interrupt, RateSignals* signals);

  // Rounds over all that has not answered. With limits.retries as many as that says; without, at least two,
  // one more when nothing at all has answered, and otherwise more as long as the last one found something and
  // more than a few are likely to be missed yet, at most kMostRounds; from the third on at half the rate, but
  // for that of a limit. Without limits.retries, what went out at a limit's rate without a loss is not asked
  // again, but for a sample (SynStretches).
  ScanEnd run();

  // Whether that may be of another SynEngine with this plan.
  [[nodiscard]] static bool fits(const ProbePlan& plan, const ScanProgress& progress);
  // Before run(): goes on from what fits.
  void restore(const ScanProgress& progress);

  [[nodiscard]] const ScanStats& stats() const { return stats_; }
  // Why the end was ScanEnd::failed.
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }

 private:
  // Of a probe, in the lower bits of its tag; above them, of a pair its number in the plan.
  enum class Purpose : std::uint8_t { ask, check, canary };
  static constexpr unsigned kPurposeBits = 2;
  static Purpose purpose_of(std::uint64_t tag) {
    return static_cast<Purpose>(tag & ((1U << kPurposeBits) - 1));
  }
  static std::uint32_t microseconds_of(TimePoint when) {
    return static_cast<std::uint32_t>(when.time_since_epoch() / std::chrono::microseconds(1));
  }
  // syn_engine.cc: time and sending.
  [[nodiscard]] std::optional<ScanEnd> work_part();
  [[nodiscard]] std::optional<ScanEnd> turn();
  [[nodiscard]] bool part_is_over(TimePoint when);
  [[nodiscard]] bool in_trouble();
  void begin_part();
  void begin_round(TimePoint when);
  void send(TimePoint when);
  [[nodiscard]] bool send_one(TimePoint when);
  void follow_kept(const SynWire::Resumed& resumed, TimePoint when);
  [[nodiscard]] bool send_canary(TimePoint when);
  [[nodiscard]] bool send_check(TimePoint when);
  [[nodiscard]] bool send_pair(TimePoint when);
  void put(Purpose purpose, std::uint64_t what, const IpAddress& address, std::uint16_t port,
           std::size_t lane);
  [[nodiscard]] Duration patience() const;
  [[nodiscard]] Deadline wait_until(TimePoint when) const;
  void follow_rate(TimePoint when);
  [[nodiscard]] bool worth_another() const;
  [[nodiscard]] bool is_to_ask(std::uint64_t at) const;

  // syn_engine_settle.cc: what comes in. Each is false when the observer wants no more.
  [[nodiscard]] bool settle_answers();
  [[nodiscard]] bool settle(const SynAnswer& answer);
  [[nodiscard]] bool settle_pair(std::uint64_t at, const SynAnswer& answer);
  [[nodiscard]] bool settle_canary(std::uint64_t key, const SynAnswer* answer);
  [[nodiscard]] bool settle_faults();
  [[nodiscard]] bool settle_silent();
  [[nodiscard]] bool settle_broken();
  [[nodiscard]] bool expire(TimePoint when);
  [[nodiscard]] bool report(const Pair& pair, PortResult result);
  bool mark_up(std::uint64_t host);
  void ask_canaries(HostState& host, TimePoint when);
  void count_drops(TimePoint when);
  void note_limit();

  // syn_engine_progress.cc: for another one to go on with.
  struct Mark {
    TimePoint at;
    unsigned round = 0;
    std::uint64_t cursor = 0;
  };
  void mark(TimePoint when);
  [[nodiscard]] bool is_mark_due(TimePoint when) const;
  [[nodiscard]] Duration unknown_for() const;
  [[nodiscard]] ScanProgress progress(TimePoint when) const;
  [[nodiscard]] SynProgress part_progress(TimePoint when) const;
  void restore_hosts(const ScanProgress& progress);
  [[nodiscard]] HostState& restored_host(std::uint64_t index);
  void restore_part(const SynProgress& part);
  [[nodiscard]] bool journal(bool complete);
  [[nodiscard]] bool journal_when_due(TimePoint when);

  [[nodiscard]] bool is_of_part(std::uint64_t index) const {
    return index >= part_ && index - part_ < part_size_;
  }
  // Of the pairs of the part, by their place in it.
  [[nodiscard]] bool is_answered(std::uint64_t at) const { return (answered_[at / 64] >> at % 64 & 1) != 0; }
  // Of the rounds up to that one, which asked it: the last (0 for none), and how many.
  [[nodiscard]] unsigned last_asked(std::uint64_t at, unsigned round) const;
  [[nodiscard]] unsigned tries_of(std::uint64_t at, unsigned round) const;
  [[nodiscard]] unsigned tries_of(std::uint64_t at) const { return tries_of(at, round_); }
  [[nodiscard]] TimePoint sent_at(std::uint64_t at, TimePoint when) const;

  const ProbePlan& plan_;
  SynWire& wire_;
  ScanLimits limits_;
  ScanObserver& observer_;
  Interrupt* interrupt_;
  RateSignals* signals_;
  ScanStats stats_;
  ResultDesk desk_;
  std::optional<Error> failure_;
  TimePoint started_ = now();
  TimePoint next_tick_ = started_;

  SynRate rate_;
  SynPace pace_;
  SynChecks checks_;
  SynStretches stretches_;
  bool unforeseen_ = false;  // in this round: an answer of what was taken for silent
  RttEstimator rtt_;         // of all
  unsigned until_check_ = 0;
  TimePoint next_check_ = TimePoint::min();
  TimePoint next_look_ = TimePoint::min();  // at drops and trouble
  bool stuck_ = false;                      // the transmit queue is full, and some wait for it
  TimePoint resume_at_ = TimePoint::min();  // then
  std::size_t most_a_turn_;                 // fewer where that is soon full: what waits is not sent yet
  bool limit_told_ = false;
  std::uint64_t dropped_ = 0;  // answers, perhaps, that this host had no room for

  std::uint64_t part_ = 0;       // the first pair of the part
  std::uint64_t part_size_ = 0;  // 0 between parts
  unsigned round_ = 0;           // from 1
  std::uint64_t cursor_ = 0;     // place of the next pair in the round
  bool round_sent_ = false;
  TimePoint last_sent_ = TimePoint::min();   // a probe of a pair
  TimePoint not_before_ = TimePoint::min();  // the next pair
  std::uint64_t found_ = 0;                  // answers to a probe of this round
  std::uint64_t last_found_ = 0;             // of the round before
  std::uint64_t left_ = 0;                   // pairs of the part without a verdict
  std::deque<Mark> marks_;                   // where the round was when, the oldest first
  std::vector<std::uint64_t> answered_;
  // Whose last probe did not go: no neighbour told where to. Empty where none was.
  std::vector<std::uint64_t> unsent_;
  std::vector<std::uint32_t> sent_;  // in microseconds, modulo 2^32

  struct Canary {
    HostState* host = nullptr;
    std::uint16_t port = 0;
    unsigned tries = 0;
    TimePoint due;  // to be sent, or given up
  };
  std::unordered_map<std::uint64_t, Canary> canaries_;  // by host and port
  std::deque<std::uint64_t> canary_queue_;              // to be sent
  TimePoint next_canary_ = TimePoint::min();            // when to look at those that were
  std::unordered_map<std::uint64_t, HostState> hosts_;  // with an open port, by index
  HostState others_;                                    // stands for each without
  std::vector<std::uint64_t> up_bits_;    // hosts that answered: a bit each, where that is little
  std::unordered_set<std::uint64_t> up_;  // or else
  std::vector<SynAnswer> answers_;
  std::vector<SynFault> faults_;
};

}  // namespace pier
