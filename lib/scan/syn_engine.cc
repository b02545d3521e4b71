#include "scan/syn_engine.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/number.h"

namespace pier {
namespace {

// What loses a packet, a burst, a busy queue, a radio, seldom lasts longer.
constexpr Duration kBetweenRounds = std::chrono::milliseconds(300);
constexpr unsigned kFastRounds = 2;
constexpr double kMissedIsFew = 0.0005;
// A check for so many probes; more where the network has a limit, to stay below it.
constexpr unsigned kProbesPerCheck = 32;
constexpr unsigned kProbesPerCheckWhenLimited = 16;
constexpr Duration kBetweenChecks = std::chrono::milliseconds(1);
constexpr Duration kBetweenLooks = std::chrono::milliseconds(100);
// A transmit queue of a gigabit's worth of frames is half empty after this.
constexpr Duration kQueueFull = std::chrono::milliseconds(1);
// Answers are looked for after so many probes.
constexpr std::size_t kMostATurn = 64;
constexpr std::uint64_t kMostHostBits = std::uint64_t{1} << 28;  // 32 MB

}  // namespace

SynEngine::SynEngine(const ProbePlan& plan, SynWire& wire, const ScanLimits& limits, ScanObserver& observer,
                     Interrupt* interrupt, RateSignals* signals)
    : plan_(plan),
      wire_(wire),
      limits_(limits),
      observer_(observer),
      interrupt_(interrupt),
      signals_(signals),
      desk_(stats_, observer, limits.max_open),
      rate_(static_cast<double>(limits.rate.value_or(kDefaultRate)), started_),
      checks_(limits.timeout),
      most_a_turn_(kMostATurn) {
  stats_.pairs = plan.size();
  stats_.hosts = plan.hosts();
  others_.up = true;  // is kept for all hosts in one place
  if (plan.ports() > 1 && plan.hosts() <= kMostHostBits) up_bits_.assign(plan.hosts() / 64 + 1, 0);
  pace_.set_rate(rate_.rate());
}

ScanEnd SynEngine::run() {
  if (limits_.journal != nullptr) {
    desk_.keep();
    if (!journal(false)) return ScanEnd::unwanted;
  }
  std::optional<ScanEnd> end;
  while (part_ < plan_.size() && !end) {
    if (part_size_ == 0) begin_part();
    end = work_part();
    follow_kept(wire_.resume(0, faults_), now());
    if (!end && !settle_silent()) end = ScanEnd::unwanted;
    if (!end) part_ += std::exchange(part_size_, 0);
  }
  // What is left is asked by whoever goes on.
  const bool goes_on = end && limits_.journal != nullptr;
  if (end == ScanEnd::failed && !goes_on && !settle_broken()) end = ScanEnd::unwanted;
  if (end != ScanEnd::unwanted && !goes_on)
    for (auto& [key, host] : hosts_)
      if (!desk_.finish(host)) end = ScanEnd::unwanted;
  stats_.elapsed = now() - started_;
  if (end != ScanEnd::unwanted && !journal(!end)) end = ScanEnd::unwanted;
  return end.value_or(ScanEnd::complete);
}

void SynEngine::begin_part() {
  part_size_ = std::min(plan_.size() - part_, limits_.part);
  left_ = part_size_;
  answered_.assign(part_size_ / 64 + 1, 0);
  sent_.assign(part_size_, 0);
  unsent_.clear();
  round_ = 0;
  stretches_.begin(part_size_);
  marks_.clear();
  begin_round(now());
}

void SynEngine::begin_round(TimePoint when) {
  if (!limits_.retries) stretches_.end_round(round_);
  ++round_;
  unforeseen_ = false;
  cursor_ = 0;
  last_found_ = std::exchange(found_, 0);
  round_sent_ = false;
  mark(when);
  follow_rate(when);
}

std::optional<ScanEnd> SynEngine::work_part() {
  while (!part_is_over(now()))
    if (const auto end = turn()) return end;
  return std::nullopt;
}

// Also begins the next round, when its time has come.
bool SynEngine::part_is_over(TimePoint when) {
  if (left_ == 0 && canaries_.empty()) return true;
  if (!round_sent_ && left_ > 0) return false;
  // Without a doubt about how many rounds there are, the next one may begin at once.
  const bool decided = limits_.retries ? round_ <= *limits_.retries : round_ < kFastRounds;
  if (left_ > 0 && decided) {
    begin_round(when);
    return false;
  }
  if (left_ > 0 && (stuck_ || wire_.can_resume() || when < last_sent_ + patience())) return false;
  if (left_ > 0 && worth_another()) {
    begin_round(when);
    return false;
  }
  return canaries_.empty();
}

bool SynEngine::worth_another() const {
  if (limits_.retries || round_ >= kMostRounds) return false;
  if (stats_.answers == 0) return round_ <= kFastRounds;
  if (unforeseen_) return true;
  if (found_ == 0) return false;
  // The loss of each probe, as often as there were probes, is what is still missed.
  const auto loss = stats_.estimated_loss();
  return !loss || std::pow(*loss, round_) > kMissedIsFew || found_ * 1000 > stats_.answers;
}

// How long an answer is waited for: of one host that has answered, by its round-trip time. Where there are
// more, the slowest may not have answered yet.
Duration SynEngine::patience() const {
  if (plan_.hosts() > 1) return limits_.timeout;
  return rtt_.timeout(kLeastTimeout, limits_.timeout, round_ - 1);
}

bool SynEngine::in_trouble() {
  auto trouble = wire_.trouble();
  if (trouble) failure_ = std::move(*trouble);
  return trouble.has_value();
}

std::optional<ScanEnd> SynEngine::turn() {
  TimePoint when = now();
  if (limits_.deadline.passed(when)) return ScanEnd::deadline;
  if (when >= next_look_) {
    next_look_ = when + kBetweenLooks;
    count_drops(when);
    if (in_trouble()) return ScanEnd::failed;
  }
  if (when >= resume_at_) send(when);
  // What did not leave for that reason is for whoever goes on.
  if (!faults_.empty() && limits_.journal != nullptr && in_trouble()) return ScanEnd::failed;
  if (!settle_faults() || !settle_answers()) return ScanEnd::unwanted;
  when = now();
  if (!expire(when)) return ScanEnd::unwanted;
  follow_rate(when);
  stats_.elapsed = when - started_;
  if (limits_.tick && when >= next_tick_) {
    observer_.progress(stats_);
    next_tick_ = when + *limits_.tick;
  }
  if (!journal_when_due(when)) return ScanEnd::unwanted;
  if (left_ == 0 && canaries_.empty()) return std::nullopt;
  const bool woken = wire_.wait(wait_until(when));
  if (!woken) return std::nullopt;
  if (interrupt_ != nullptr && interrupt_->taken()) return ScanEnd::interrupted;
  if (!observer_.woken()) return ScanEnd::unwanted;
  const int steps = signals_ != nullptr ? signals_->take() : 0;
  if (steps != 0) {
    double wanted = rate_.wanted();
    for (int i = 0; i < std::abs(steps); ++i) wanted = steps > 0 ? wanted * 2 : wanted / 2;
    constexpr double kMostRate = 1e9;
    rate_.want(std::min(wanted, kMostRate), now());
    observer_.note(fmt::format("at most {} probes a second from now on",
                               format_count(static_cast<std::uint64_t>(rate_.wanted()))));
  }
  return std::nullopt;
}

void SynEngine::follow_rate(TimePoint when) {
  rate_.tick(when, checks_.under_way());
  // What is still silent then may be so because of the rate; at a limit, it is slow enough.
  const bool slower = round_ > kFastRounds && !rate_.limited();
  pace_.set_rate(slower ? std::max(rate_.rate() / 2, std::min(rate_.rate(), 100.0)) : rate_.rate());
  if (rate_.limited() && !limit_told_) note_limit();
}

void SynEngine::send(TimePoint when) {
  const std::size_t allowed = std::min(pace_.allowance(when), most_a_turn_);
  const SynWire::Resumed resumed = wire_.resume(allowed, faults_);
  follow_kept(resumed, when);
  const std::size_t count = stuck_ ? 0 : std::min(allowed - resumed.packets, wire_.room());
  std::size_t sent = 0;
  while (sent < count && send_one(when)) ++sent;
  pace_.take(resumed.packets + sent);
  const bool was_stuck = std::exchange(stuck_, !wire_.flush(faults_));
  most_a_turn_ = stuck_ ? std::max(most_a_turn_ / 2, std::size_t{1}) : std::min(most_a_turn_ * 2, kMostATurn);
  if (stuck_)
    resume_at_ = when + kQueueFull;
  else if (was_stuck)
    last_sent_ = when;
}

void SynEngine::follow_kept(const SynWire::Resumed& resumed, TimePoint when) {
  const auto place_of = [this](std::uint64_t tag) -> std::optional<std::uint64_t> {
    const std::uint64_t index = tag >> kPurposeBits;
    if (purpose_of(tag) != Purpose::ask || !is_of_part(index)) return std::nullopt;
    return index - part_;
  };
  if (!resumed.probes.empty()) last_sent_ = when;
  for (const std::uint64_t tag : resumed.probes)
    if (const auto at = place_of(tag)) sent_[*at] = microseconds_of(when);
  const std::vector<std::uint64_t> unsent = wire_.take_unsent();
  if (unsent.empty()) return;
  stretches_.doubt(when - wire_.longest_kept());
  if (unsent_.empty()) unsent_.assign(part_size_ / 64 + 1, 0);
  for (const std::uint64_t tag : unsent)
    if (const auto at = place_of(tag)) unsent_[*at / 64] |= std::uint64_t{1} << *at % 64;
}

bool SynEngine::send_one(TimePoint when) {
  return send_canary(when) || send_check(when) || send_pair(when);
}

bool SynEngine::send_canary(TimePoint when) {
  if (canary_queue_.empty()) return false;
  const std::uint64_t key = canary_queue_.front();
  canary_queue_.pop_front();
  const auto found = canaries_.find(key);
  if (found == canaries_.end()) return send_canary(when);
  Canary& canary = found->second;
  ++canary.tries;
  canary.due = when + limits_.timeout;
  next_canary_ = std::min(next_canary_, canary.due);
  ++stats_.canaries;
  put(Purpose::canary, key, canary.host->address, canary.port, wire_.lanes() - 1);
  return true;
}

// While something is silent, and may be so by a loss.
bool SynEngine::send_check(TimePoint when) {
  if (until_check_ > 0 || when < next_check_ || round_sent_) return false;
  until_check_ = rate_.limited() ? kProbesPerCheckWhenLimited : kProbesPerCheck;
  const auto check = checks_.next(when);
  if (!check) return false;
  next_check_ = when + kBetweenChecks;
  ++stats_.checks;
  put(Purpose::check, 0, check->address, check->port, wire_.lanes() - 1);
  return true;
}

bool SynEngine::send_pair(TimePoint when) {
  if (round_sent_ || when < not_before_) return false;
  while (cursor_ < part_size_ && !is_to_ask(cursor_)) {
    // All 64 of them at once, where they are.
    const bool all = cursor_ % 64 == 0 && answered_[cursor_ / 64] == ~std::uint64_t{0};
    cursor_ += all ? 64 : 1;
  }
  if (cursor_ >= part_size_) {
    round_sent_ = true;
    mark(when);
    return false;
  }
  if (round_ > 1) {
    not_before_ = sent_at(cursor_, when) + std::min(kBetweenRounds, limits_.timeout);
    if (when < not_before_) return false;
  }
  if (is_mark_due(when)) mark(when);
  const std::uint64_t at = cursor_++;
  const Pair pair = plan_.at(part_ + at);
  ++stats_.probes;
  if (round_ > 1) ++stats_.retries;
  if (until_check_ > 0) --until_check_;
  sent_[at] = microseconds_of(when);
  if (!unsent_.empty()) unsent_[at / 64] &= ~(std::uint64_t{1} << at % 64);
  last_sent_ = when;
  stretches_.ask(at, rate_.limited(), when);
  const std::size_t lanes = wire_.lanes();
  put(Purpose::ask, part_ + at, pair.address, pair.port, lanes > 1 ? (round_ - 1) % (lanes - 1) : 0);
  return true;
}

void SynEngine::put(Purpose purpose, std::uint64_t what, const IpAddress& address, std::uint16_t port,
                    std::size_t lane) {
  wire_.queue({.tag = what << kPurposeBits | static_cast<std::uint64_t>(purpose),
               .address = address,
               .port = port,
               .lane = lane},
              faults_);
}

Deadline SynEngine::wait_until(TimePoint when) const {
  std::optional<TimePoint> until = limits_.deadline.at();
  const auto sooner = [&](TimePoint at) { until = until ? std::min(*until, at) : at; };
  sooner(next_look_);
  if (limits_.tick) sooner(next_tick_);
  if (!canary_queue_.empty() || !round_sent_)
    sooner(std::max({pace_.next(), resume_at_, canary_queue_.empty() ? not_before_ : TimePoint::min()}));
  else if (left_ > 0 && !stuck_ && (canaries_.empty() || when < last_sent_ + patience()))
    sooner(last_sent_ + patience());
  if (wire_.can_resume()) sooner(std::max(pace_.next(), resume_at_));
  if (stuck_) sooner(std::max(resume_at_, when));
  if (const auto end = checks_.next_end()) sooner(*end);
  if (!canaries_.empty()) sooner(std::max(next_canary_, when));
  return Deadline(*until);
}

// The time of its last probe, which was less than an hour ago.
TimePoint SynEngine::sent_at(std::uint64_t at, TimePoint when) const {
  return when - std::chrono::microseconds(microseconds_of(when) - sent_[at]);
}

bool SynEngine::is_to_ask(std::uint64_t at) const {
  return !is_answered(at) && stretches_.is_asked(at, round_);
}

unsigned SynEngine::last_asked(std::uint64_t at, unsigned round) const {
  if (round == round_ && at >= cursor_) --round;
  while (round > 0 && !stretches_.is_asked(at, round)) --round;
  return round;
}

unsigned SynEngine::tries_of(std::uint64_t at, unsigned round) const {
  unsigned tries = 0;
  while ((round = last_asked(at, round)) > 0) {
    ++tries;
    --round;
  }
  return tries;
}

}  // namespace pier
