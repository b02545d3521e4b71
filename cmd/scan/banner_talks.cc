#include "cmd/scan/banner_talks.h"

#include <utility>

#include "ports/registry.h"
#include "ports/services.h"

namespace pier::scan {

const std::shared_ptr<const TlsContext>& BannerTalks::Tls::context(bool offers) {
  auto& context = offers ? offering_ : plain_;
  if (context || failure_) return context;
  TlsClientPlan plan;
  plan.insecure = true;  // what it says is shown, and nothing is entrusted to it
  if (offers) plan.alpn = {"h2", "http/1.1"};
  auto made = TlsContext::client(plan);
  if (made)
    context = *made;
  else
    failure_ = made.error();
  return context;
}

std::unique_ptr<Handshaker> BannerTalks::Tls::make(const std::string& name, bool offers,
                                                   TlsHandshaker::Report report) {
  const auto& made = context(offers);
  if (made) return std::make_unique<TlsHandshaker>(made, name, nullptr, std::move(report));
  if (!std::exchange(told_, true)) app_.note("no TLS for --banner: " + failure_->message());
  return nullptr;
}

BannerTalks::BannerTalks(const App& app, Loop& loop, ProbeSource source, Done done)
    : loop_(loop),
      source_(std::move(source)),
      done_(std::move(done)),
      tls_(app),
      make_tls_([this](auto&&... words) { return tls_.make(std::forward<decltype(words)>(words)...); }) {}

void BannerTalks::load_tls() {
  for (const bool offers : {true, false}) (void)tls_.context(offers);
}

void BannerTalks::ask(std::uint64_t number, const PortResult& port) {
  BannerPlan plan;
  plan.address = SocketAddress(port.address, port.port);
  if (!IpAddress::parse(port.host)) plan.name = port.host;
  plan.tls_first = is_tls_service(service_of(port.protocol, port.port));
  if (source_.address) plan.source = SocketAddress(*source_.address, 0);
  plan.interface = source_.interface;
  talks_.emplace(
      number, std::make_unique<BannerTalk>(loop_, std::move(plan), make_tls_, [this, number](Banner banner) {
        const auto talk = talks_.extract(number);  // which this is called by
        done_(number, banner);
      }));
}

}  // namespace pier::scan
