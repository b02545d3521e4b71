#include "cmd/scan/banners.h"

#include <set>
#include <utility>

#include "cmd/scan/banner_talks.h"

namespace pier::scan {
namespace {

class Round {
 public:
  using Tell = std::function<void(const PortResult&, const Banner&)>;
  Round(Loop& loop, BannerJob job, const Tell& tell)
      : loop_(loop),
        job_(std::move(job)),
        tell_(tell),
        talks_(job_.app, loop, job_.source, [this](std::uint64_t number, const Banner& banner) {
          told_.insert(number);
          tell_(job_.ports[number], banner);
          go_on();
        }) {}

  void go_on() {
    for (; !over_ && talks_.size() < kBannersAtOnce && next_ < job_.ports.size(); ++next_)
      talks_.ask(next_, job_.ports[next_]);
    if (talks_.size() == 0) loop_.stop();
  }
  // What is left is told without.
  bool finish() {
    over_ = true;
    const bool whole = told_.size() == job_.ports.size();
    for (std::size_t i = 0; i < job_.ports.size(); ++i)
      if (!told_.contains(i)) tell_(job_.ports[i], {});
    talks_.cancel();
    return whole;
  }

 private:
  Loop& loop_;
  BannerJob job_;
  const Tell& tell_;
  BannerTalks talks_;
  std::size_t next_ = 0;
  std::set<std::uint64_t> told_;
  bool over_ = false;
};

}  // namespace

bool take_banners(BannerJob job, Interrupt& interrupt,
                  const std::function<void(const PortResult&, const Banner&)>& tell) {
  if (job.ports.empty()) return true;
  Loop loop;
  const Timer limit = loop.timer(job.deadline, [&loop] { loop.stop(); });
  auto signals = loop.watch(interrupt.fd(), Interest::read, [&](Ready) {
    if (interrupt.taken()) loop.stop();
  });
  Round round(loop, std::move(job), tell);
  if (signals && !interrupt.taken()) {
    round.go_on();
    loop.run();
  }
  return round.finish();
}

}  // namespace pier::scan
