#include "scan/engine.h"

#include <algorithm>

namespace pier {
namespace {

using Kind = Judgement::Kind;

// Between two looks at what has ended, so that a round-trip time does not count how long the others took to
// send.
constexpr int kBurst = 32;
// Where more ports than these wait for their retry, retries go first: the queue must not grow with the scan.
constexpr std::size_t kMostLate = std::size_t{1} << 18;
// The kernel picks a source port by chance; the target's own, once in thousands. Only a fixed source port
// meets itself this often.
constexpr unsigned kMostToItself = 16;
// 10 ms doubled seven times: a host without room is asked for about 2.5 s in all before it is believed.
constexpr unsigned kMostStuck = 8;
constexpr Duration kFirstPause = std::chrono::milliseconds(10);

}  // namespace

ScanEngine::ScanEngine(const ProbePlan& plan, Prober& prober, const ScanLimits& limits,
                       ScanObserver& observer, Interrupt* interrupt)
    : plan_(plan),
      prober_(prober),
      limits_(limits),
      observer_(observer),
      interrupt_(interrupt),
      pace_(limits.rate),
      window_(std::max<std::size_t>(limits.window, 1)) {
  stats_.pairs = plan.size();
  stats_.hosts = plan.hosts();
}

ScanEnd ScanEngine::run() {
  const ScanEnd end = work();
  stats_.elapsed = now() - started_;
  return end;
}

ScanEnd ScanEngine::work() {
  std::vector<ProbeEnd> ended;
  while (!nothing_left() || prober_.in_flight() > 0) {
    if (limits_.deadline.passed()) return ScanEnd::deadline;
    send_burst();
    ended.clear();
    const bool woken = prober_.collect(wait_until(), ended);
    for (const ProbeEnd& end : ended)
      if (!settle(end)) return ScanEnd::unwanted;
    if (woken && interrupt_ != nullptr && interrupt_->taken()) return ScanEnd::interrupted;
    const TimePoint when = now();
    stats_.elapsed = when - started_;
    if (limits_.tick && when >= next_tick_) {
      observer_.progress(stats_);
      next_tick_ = when + *limits_.tick;
    }
  }
  return ScanEnd::complete;
}

bool ScanEngine::may_send(TimePoint when) const {
  return !nothing_left() && prober_.in_flight() < window_ && when >= resume_at_ && pace_.allows(when);
}

ScanEngine::Question ScanEngine::take_question() {
  const auto take = [](std::deque<Question>& queue) {
    const Question question = queue.front();
    queue.pop_front();
    return question;
  };
  if (!again_.empty()) return take(again_);
  if (next_ == plan_.size() || late_.size() >= kMostLate) return take(late_);
  return {.pair = plan_.at(next_++)};
}

void ScanEngine::send_burst() {
  for (int i = 0; i < kBurst && may_send(now()); ++i) {
    Question question = take_question();
    ++stats_.probes;
    if (question.tries++ > 0) ++stats_.retries;
    if (free_tags_.empty()) {
      free_tags_.push_back(asked_.size());
      asked_.emplace_back();
    }
    const std::size_t tag = free_tags_.back();
    free_tags_.pop_back();
    asked_[tag] = question;
    pace_.sent(now());
    prober_.send(tag, question.pair.address, question.pair.port);
  }
}

Deadline ScanEngine::wait_until() const {
  std::optional<TimePoint> until = limits_.deadline.at();
  const auto sooner = [&](TimePoint at) { until = until ? std::min(*until, at) : at; };
  if (limits_.tick) sooner(next_tick_);
  if (!nothing_left() && prober_.in_flight() < window_) sooner(std::max(resume_at_, pace_.next(now())));
  return until ? Deadline(*until) : Deadline();
}

bool ScanEngine::settle(const ProbeEnd& end) {
  Question question = asked_[end.tag];
  free_tags_.push_back(end.tag);
  const Judgement& judgement = end.judgement;
  if (judgement.kind == Kind::shortage) return settle_shortage(question, judgement);
  stuck_ = 0;
  grow_window();
  if (judgement.kind == Kind::to_itself && ++question.to_itself < kMostToItself) {
    --question.tries;
    again_.push_back(question);
    return true;
  }
  if (judgement.kind == Kind::no_answer && question.tries <= limits_.retries) {
    late_.push_back(question);
    return true;
  }
  const bool answered = judgement.kind == Kind::verdict && judgement.state != PortState::error;
  return report(question, judgement, answered ? std::optional(end.took) : std::nullopt);
}

bool ScanEngine::settle_shortage(Question question, const Judgement& judgement) {
  // It never went out.
  --stats_.probes;
  if (--question.tries > 0) --stats_.retries;
  window_ = std::max<std::size_t>(prober_.in_flight(), 1);
  ended_well_ = 0;
  if (prober_.in_flight() == 0 && now() >= resume_at_) {
    if (stuck_ >= kMostStuck) return report(question, judgement, std::nullopt);
    resume_at_ = now() + kFirstPause * (1 << stuck_++);
  }
  again_.push_back(question);
  return true;
}

void ScanEngine::grow_window() {
  if (window_ >= limits_.window || ++ended_well_ < window_) return;
  ++window_;
  ended_well_ = 0;
}

bool ScanEngine::report(const Question& question, const Judgement& judgement, std::optional<Duration> rtt) {
  const Pair& pair = question.pair;
  ++stats_.states[static_cast<std::size_t>(judgement.state)];
  if (rtt) {
    ++stats_.answers;
    stats_.probes_of_answered += question.tries;
  }
  if (judgement.state == PortState::open || judgement.state == PortState::closed) {
    up_.insert(pair.host_index);
    stats_.hosts_up = up_.size();
  }
  return observer_.result({.host = plan_.targets().host_of(pair.address),
                           .address = pair.address,
                           .port = pair.port,
                           .protocol = pair.protocol,
                           .state = judgement.state,
                           .reason = judgement.reason,
                           .rtt = rtt,
                           .tries = question.tries});
}

}  // namespace pier
