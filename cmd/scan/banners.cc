#include "cmd/scan/banners.h"

#include <memory>
#include <set>
#include <unordered_map>
#include <utility>

#include "ports/registry.h"
#include "ports/services.h"
#include "scan/banner_talk.h"
#include "stream/tls_handshake.h"

namespace pier::scan {
namespace {

// OpenSSL, loaded at the first port that wants it.
class Tls {
 public:
  explicit Tls(const App& app) : app_(app) {}

  std::unique_ptr<Handshaker> make(const std::string& name, bool offers, TlsHandshaker::Report report) {
    auto& context = offers ? offering_ : plain_;
    if (!context && !failed_) {
      TlsClientPlan plan;
      plan.insecure = true;  // what it says is shown, and nothing is entrusted to it
      if (offers) plan.alpn = {"h2", "http/1.1"};
      auto made = TlsContext::client(plan);
      if (made) context = *made;
      failed_ = !made;
      if (failed_) app_.note("no TLS for --banner: " + made.error().message());
    }
    if (failed_) return nullptr;
    return std::make_unique<TlsHandshaker>(context, name, nullptr, std::move(report));
  }

 private:
  const App& app_;
  std::shared_ptr<const TlsContext> offering_, plain_;
  bool failed_ = false;
};

class Round {
 public:
  using Tell = std::function<void(const PortResult&, const Banner&)>;
  Round(Loop& loop, BannerJob job, const Tell& tell)
      : loop_(loop), job_(std::move(job)), tell_(tell), tls_(job_.app), make_tls_([this](auto&&... words) {
          return tls_.make(std::forward<decltype(words)>(words)...);
        }) {}

  void go_on() {
    while (!over_ && talks_.size() < kBannersAtOnce && next_ < job_.ports.size()) start(next_++);
    if (talks_.empty()) loop_.stop();
  }
  // What is left is told without.
  bool finish() {
    over_ = true;
    const bool whole = told_.size() == job_.ports.size();
    for (std::size_t i = 0; i < job_.ports.size(); ++i)
      if (!told_.contains(i)) tell_(job_.ports[i], {});
    talks_.clear();
    return whole;
  }

 private:
  void start(std::size_t number) {
    const PortResult& port = job_.ports[number];
    BannerPlan plan;
    plan.address = SocketAddress(port.address, port.port);
    if (!IpAddress::parse(port.host)) plan.name = port.host;
    plan.tls_first = is_tls_service(service_of(port.protocol, port.port));
    if (job_.source.address) plan.source = SocketAddress(*job_.source.address, 0);
    plan.interface = job_.source.interface;
    talks_.emplace(number, std::make_unique<BannerTalk>(loop_, std::move(plan), make_tls_,
                                                        [this, number](Banner banner) {
                                                          told_.insert(number);
                                                          tell_(job_.ports[number], banner);
                                                          talks_.erase(number);
                                                          go_on();
                                                        }));
  }

  Loop& loop_;
  BannerJob job_;
  const Tell& tell_;
  Tls tls_;
  MakeTls make_tls_;
  std::size_t next_ = 0;
  std::set<std::size_t> told_;
  std::unordered_map<std::size_t, std::unique_ptr<BannerTalk>> talks_;
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
