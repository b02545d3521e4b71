// How far the engine has come, for another one to go on with.
#include "scan/engine.h"

namespace pier {

ScanProgress ScanEngine::progress() const {
  ScanProgress progress{
      .next = next_, .unsettled = {}, .stats = stats_, .up = {}, .given_up = given_up_, .crowds = {}};
  for (const Question& question : asked_) {
    if (question.host == nullptr || question.purpose != Purpose::ask) continue;
    // The probe in flight does not count: its answer will reach nobody.
    Waiting waiting = question.waiting;
    if (waiting.tries > 0) --waiting.tries;
    progress.unsettled.push_back(waiting);
  }
  for (const Question& question : urgent_)
    if (question.purpose == Purpose::ask) progress.unsettled.push_back(question.waiting);
  for (const Question& question : unasked_) progress.unsettled.push_back(question.waiting);
  for (const Late& late : late_) progress.unsettled.push_back(late.waiting);
  for (const auto& [key, host] : hosts_) {
    pool_.for_each(host.deferred, [&](const Waiting& waiting) { progress.unsettled.push_back(waiting); });
    // Not reported, so as good as not asked.
    for (const PortResult& result : host.held) progress.unsettled.push_back({result.index, 0});
    if (limits_.max_open && host.open > host.held.size())
      progress.crowds.push_back({.host = host.index, .open = host.open - host.held.size()});
    if (host.up && progress.up.size() < ScanProgress::kMostHosts)
      progress.up.push_back({.index = host.index,
                             .suspect = host.canary == CanaryState::suspect,
                             .clear = host.canary == CanaryState::clear});
  }
  return progress;
}

void ScanEngine::restore(const ScanProgress& progress) {
  next_ = progress.next;
  const std::uint64_t pairs = stats_.pairs;
  const std::uint64_t hosts = stats_.hosts;
  stats_ = progress.stats;
  stats_.pairs = pairs;
  stats_.hosts = hosts;
  started_ -= stats_.elapsed;
  given_up_ = progress.given_up;
  for (const ScanProgress::HostMark& mark : progress.up) {
    if (mark.index >= plan_.hosts()) continue;
    // Of TCP; what UDP was like is found out again.
    HostState& host =
        host_of({.address = plan_.targets().addresses().at(mark.index), .host_index = mark.index});
    host.up = true;
    if (mark.suspect) host.canary = CanaryState::suspect;
    if (mark.clear) host.canary = CanaryState::clear;
  }
  for (const ScanProgress::Crowd& crowd : progress.crowds)
    if (crowd.host < plan_.hosts())
      host_of({.address = plan_.targets().addresses().at(crowd.host), .host_index = crowd.host}).open =
          crowd.open;
  for (const Waiting& waiting : progress.unsettled) {
    if (waiting.index >= plan_.size()) continue;
    if (waiting.tries > 0)
      late_.push_back({waiting, started_});
    else
      defer(*question_of(waiting).host, waiting);
  }
}

bool ScanEngine::journal(bool complete) {
  if (limits_.journal == nullptr) return true;
  const ScanProgress at = progress();
  return limits_.journal->before_results(at, desk_.kept(), complete) && desk_.pass_kept() &&
         limits_.journal->after_results(at, complete);
}

}  // namespace pier
