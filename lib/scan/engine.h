// Works through a plan: keeps windows of probes in flight, asks again where nothing answered, and reports.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <queue>
#include <random>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "scan/checkpoint.h"
#include "scan/host_state.h"
#include "scan/interrupt.h"
#include "scan/pace.h"
#include "scan/plan.h"
#include "scan/prober.h"
#include "scan/result.h"
#include "scan/result_desk.h"
#include "scan/waiting.h"
#include "scan/window.h"

namespace pier {

struct ScanLimits {
  std::size_t window = 4096;                   // probes in flight at most; at least 1
  std::optional<unsigned> retries = {};        // further probes for a port that has not answered; see run()
  std::optional<std::uint64_t> rate = {};      // probes a second
  Duration timeout = std::chrono::seconds(1);  // for an answer, at most
  Deadline deadline = {};                      // of the whole
  std::optional<Duration> tick = {};           // how often progress() is called
  std::optional<std::uint64_t> max_open = {};  // see ResultDesk
  bool canaries = true;                        // tell hosts that answer everywhere
  std::uint64_t seed = 0;                      // of the canaries' ports
  ScanJournal* journal = nullptr;              // is left the progress; must outlive the engine
  // Pairs that a SynEngine works through at a time: 1 to SynProgress::kMostPairs.
  std::uint64_t part = SynProgress::kMostPairs;
};

enum class ScanEnd : std::uint8_t {
  complete,
  deadline,     // ScanLimits::deadline has passed
  interrupted,  // by a signal
  unwanted,     // the observer said so
  failed,       // this host cannot ask any more; see SynEngine::failure()
};

// One scan. Each host has a window of its own beside that of the whole, and a timeout by its round-trip time.
//
// When this host runs out of descriptors, memory or source ports, the window shrinks, and what did not fit is
// asked later; only when it does not fit alone either, again and again, is it an `error`.
class ScanEngine {
 public:
  // All must outlive the engine. `interrupt` may be null.
  ScanEngine(const ProbePlan& plan, Prober& prober, const ScanLimits& limits, ScanObserver& observer,
             Interrupt* interrupt);

  // A silent port is asked again after all others. With limits.retries as often as that says; without, once
  // more, and again and more slowly as long as the last time round found something (or nothing has answered
  // at all: then twice), at most kMostRounds times.
  ScanEnd run();

  // Before run(): goes on where another engine of the same plan was.
  void restore(const ScanProgress& progress);
  static constexpr unsigned kMostRounds = 10;

  [[nodiscard]] const ScanStats& stats() const { return stats_; }
  // Hosts whose further ports were not asked, because this host failed to, again and again.
  [[nodiscard]] const std::vector<IpAddress>& given_up() const { return given_up_; }

 private:
  enum class Purpose : std::uint8_t {
    ask,
    check,   // a port that answered before: does it again?
    canary,  // a port where nobody should listen
  };
  struct Question {
    Waiting waiting = {};
    HostState* host = nullptr;
    std::uint16_t port = 0;
    Purpose purpose = Purpose::ask;
    std::uint8_t to_itself = 0;  // probes that met themselves
    TimePoint sent = {};
  };

  [[nodiscard]] ScanEnd work();
  [[nodiscard]] bool nothing_left() const;

  // engine_progress.cc: for another one to go on with.
  [[nodiscard]] ScanProgress progress() const;
  [[nodiscard]] bool journal(bool complete);

  // engine_queue.cc: what to ask next.
  [[nodiscard]] HostState& host_of(const Pair& pair);
  [[nodiscard]] std::optional<Question> take_question(TimePoint when);
  [[nodiscard]] std::optional<Question> take_ready();
  [[nodiscard]] std::optional<Question> take_new();
  [[nodiscard]] std::optional<Question> take_late(TimePoint when);
  [[nodiscard]] Question question_of(Waiting waiting);
  [[nodiscard]] bool has_room(HostState& host, unsigned tries);
  [[nodiscard]] bool worth_another(unsigned tries, PortProtocol protocol) const;
  void defer(HostState& host, Waiting waiting);
  void resume_paced(TimePoint when);
  void judge_icmp_limit(HostState& host);
  // Beside a probe of a port, one that shows what gets lost.
  void check_for_loss(HostState& host);
  void mark_ready(HostState& host);
  [[nodiscard]] bool is_slow_round() const;

  // engine.cc
  [[nodiscard]] bool may_send(TimePoint when) const;
  void send_burst();
  void send(Question question);
  [[nodiscard]] Deadline wait_until() const;

  // engine_settle.cc: what an end means. Each is false when the observer wants no more.
  [[nodiscard]] bool settle(const ProbeEnd& end);
  [[nodiscard]] bool settle_unasked();
  [[nodiscard]] bool settle_shortage(const Question& question, const Judgement& judgement);
  [[nodiscard]] bool settle_port(const Question& question, const ProbeEnd& end);
  [[nodiscard]] bool settle_canary(const Question& question, const Judgement& judgement);
  void settle_check(const Question& question, const Judgement& judgement);
  [[nodiscard]] bool report(const Question& question, const Judgement& judgement,
                            std::optional<Duration> rtt);
  void learn_from_answer(HostState& host, const Question& question, PortState state, Duration took);
  void ask_canaries(HostState& host);
  void slow_down(HostState& host);
  static void speed_up(HostState& host);
  void count_fault(HostState& host);

  const ProbePlan& plan_;
  Prober& prober_;
  ScanLimits limits_;
  ScanObserver& observer_;
  Interrupt* interrupt_;
  ScanStats stats_;
  ResultDesk desk_;
  Pace pace_;
  TimePoint started_ = now();
  TimePoint next_tick_ = started_;

  struct Late {
    Waiting waiting;
    TimePoint not_before;
  };
  std::uint64_t next_ = 0;        // of the plan
  std::deque<Question> urgent_;   // before all others: checks, canaries, what met itself or found no room
  std::deque<HostState*> ready_;  // hosts with deferred questions and room for one
  struct Paced {
    TimePoint at;
    HostState* host;
    friend bool operator>(const Paced& a, const Paced& b) { return a.at > b.at; }
  };
  // Hosts that may be asked again at a time.
  std::priority_queue<Paced, std::vector<Paced>, std::greater<>> paced_;
  std::deque<Late> late_;          // after all others: nobody answered
  std::vector<Question> unasked_;  // not asked any more: silent, or of a host that was given up
  WaitingPool pool_;               // of the deferred
  std::vector<Question> asked_;    // in flight, by tag
  std::vector<std::size_t> free_tags_;
  std::array<std::uint64_t, kMostTries + 1> in_flight_at_{};  // by tries
  std::unordered_map<std::uint64_t, HostState> hosts_;        // by index and transport
  std::vector<IpAddress> given_up_;

  std::minstd_rand chance_{1};
  Window window_;
  LossWatch loss_;             // over all hosts
  bool more_to_send_ = false;  // a burst or a round of verdicts ended before the questions did
  TimePoint looked_at_{};      // when send_burst() last looked for a question
  unsigned stuck_ = 0;         // shortages in a row with nothing in flight
  TimePoint resume_at_ = TimePoint::min();
};

}  // namespace pier
