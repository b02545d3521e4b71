#include "scan/engine.h"

#include <algorithm>

namespace pier {
namespace {

// Between two looks at what has ended, so that a round-trip time does not count how long the others took to
// send; those that are answered at once are timed one by one.
constexpr std::size_t kBurst = 32;
constexpr std::size_t kNearBurst = 512;
// The windows start with these, where they may be that large: the scan's with what the smallest host can
// take, a host's with about what a browser opens to the hosts of one page.
constexpr std::size_t kFirstWindow = 1024;

}  // namespace

ScanEngine::ScanEngine(const ProbePlan& plan, Prober& prober, const ScanLimits& limits,
                       ScanObserver& observer, Interrupt* interrupt)
    : plan_(plan),
      prober_(prober),
      limits_(limits),
      observer_(observer),
      interrupt_(interrupt),
      desk_(stats_, observer, limits.max_open),
      pace_(limits.rate),
      window_(kFirstWindow, std::max<std::size_t>(limits.window, 1)) {
  limits_.window = std::max<std::size_t>(limits.window, 1);
  stats_.pairs = plan.size();
  stats_.hosts = plan.hosts();
}

ScanEnd ScanEngine::run() {
  if (limits_.journal != nullptr) {
    desk_.keep();
    if (!journal(false)) return ScanEnd::unwanted;
  }
  ScanEnd end = work();
  // How many ports of a host are open is known to whoever goes on to the end.
  const bool open_counted = !limits_.max_open || limits_.journal == nullptr || end == ScanEnd::complete;
  if (end != ScanEnd::unwanted && open_counted)
    for (auto& [key, host] : hosts_)
      if (!desk_.finish(host)) end = ScanEnd::unwanted;
  stats_.elapsed = now() - started_;
  if (end != ScanEnd::unwanted && !journal(end == ScanEnd::complete)) end = ScanEnd::unwanted;
  return end;
}

bool ScanEngine::nothing_left() const {
  return next_ == plan_.size() && urgent_.empty() && pool_.size() == 0 && late_.empty() && unasked_.empty();
}

ScanEnd ScanEngine::work() {
  std::vector<ProbeEnd> ended;
  while (!nothing_left() || prober_.in_flight() > 0) {
    if (limits_.deadline.passed()) return ScanEnd::deadline;
    send_burst();
    if (!settle_unasked()) return ScanEnd::unwanted;
    if (nothing_left() && prober_.in_flight() == 0) break;
    ended.clear();
    const bool woken = prober_.collect(wait_until(), ended);
    for (const ProbeEnd& end : ended)
      if (!settle(end)) return ScanEnd::unwanted;
    if (woken && interrupt_ != nullptr && interrupt_->taken()) return ScanEnd::interrupted;
    const TimePoint when = now();
    stats_.elapsed = when - started_;
    stats_.window = window_.size();
    if (limits_.journal != nullptr && limits_.journal->due(when) && !journal(false)) return ScanEnd::unwanted;
    if (limits_.tick && when >= next_tick_) {
      observer_.progress(stats_);
      next_tick_ = when + *limits_.tick;
    }
  }
  return ScanEnd::complete;
}

bool ScanEngine::may_send(TimePoint when) const {
  const std::size_t room = is_slow_round() ? std::max<std::size_t>(window_.size() / 4, 1) : window_.size();
  return prober_.in_flight() < room && when >= resume_at_ && pace_.allows(when);
}

void ScanEngine::send_burst() {
  std::size_t far = 0;
  more_to_send_ = false;
  for (std::size_t sent = 0; sent < kNearBurst && far < kBurst; ++sent) {
    const TimePoint when = looked_at_ = now();
    if (!may_send(when)) return;
    const auto question = take_question(when);
    if (!question) return;
    if (question->host->given_up && question->purpose == Purpose::ask) {
      unasked_.push_back(*question);
      continue;
    }
    if (!question->host->near) ++far;
    send(*question);
  }
  more_to_send_ = true;
}

void ScanEngine::send(Question question) {
  HostState& host = *question.host;
  switch (question.purpose) {
    case Purpose::ask:
      ++stats_.probes;
      if (question.waiting.tries++ > 0) ++stats_.retries;
      ++in_flight_at_[question.waiting.tries];
      check_for_loss(host);
      break;
    case Purpose::check:
      ++stats_.checks;
      break;
    case Purpose::canary:
      ++stats_.canaries;
      break;
  }
  ++host.in_flight;
  ++host.sent;
  question.sent = now();
  if (free_tags_.empty()) {
    free_tags_.push_back(asked_.size());
    asked_.emplace_back();
  }
  const std::size_t tag = free_tags_.back();
  free_tags_.pop_back();
  asked_[tag] = question;
  pace_.sent(question.sent);
  host.pace.sent(question.sent);
  const unsigned silences = question.waiting.tries > 0 ? question.waiting.tries - 1U : 0U;
  prober_.send(
      {.tag = tag,
       .address = host.address,
       .port = question.port,
       .protocol = host.protocol,
       .timeout = host.rtt.timeout(host.protocol == PortProtocol::tcp ? kLeastTimeout : kLeastTimeoutUdp,
                                   limits_.timeout, silences),
       .near = host.near && !limits_.rate});
}

Deadline ScanEngine::wait_until() const {
  // What was too early for the last look is waited for, even where its time has come since.
  const TimePoint when = looked_at_;
  if (more_to_send_) return Deadline(when);
  std::optional<TimePoint> until = limits_.deadline.at();
  const auto sooner = [&](TimePoint at) { until = until ? std::min(*until, at) : at; };
  if (limits_.tick) sooner(next_tick_);
  if (resume_at_ > when) sooner(resume_at_);
  if (!pace_.allows(when) && !nothing_left() && prober_.in_flight() < window_.size())
    sooner(pace_.next(when));
  if (!paced_.empty()) sooner(paced_.top().at);
  if (!late_.empty() && late_.front().not_before > when) sooner(late_.front().not_before);
  return until ? Deadline(*until) : Deadline();
}

}  // namespace pier
