#include "scan/banner_talk.h"

#include <array>
#include <span>
#include <utility>

#include "stream/socket_stream.h"

namespace pier {
namespace {

constexpr std::string_view kRequest = "GET / HTTP/1.0\r\n\r\n";

// After the first bytes: what was written by several calls comes soon.
constexpr Duration kMore = std::chrono::milliseconds(200);

}  // namespace

BannerTalk::BannerTalk(Loop& loop, BannerPlan plan, const MakeTls& make_tls, Done done)
    : loop_(loop), plan_(std::move(plan)), make_tls_(make_tls), done_(std::move(done)) {
  limit_ = loop_.timer(Deadline::after(kLimit), [this] { finish(); });
  connect(plan_.tls_first ? Way::tls : Way::plain);
}

void BannerTalk::connect(Way way) {
  watch_.cancel();
  patience_.cancel();
  stream_.reset();
  received_.clear();
  sent_ = 0;
  asking_ = false;
  way_ = way;
  (way == Way::plain ? tried_plain_ : tried_tls_) = true;
  // Not from within a callback of what is replaced.
  loop_.post([this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired() && done_) begin();
  });
}

void BannerTalk::begin() {
  ConnectPlan plan;
  plan.endpoint.host = plan_.address.ip().to_string();
  plan.endpoint.port = plan_.address.port();
  plan.source = plan_.source;
  plan.interface = plan_.interface;
  plan.timeout = kPatience;
  connector_ = std::make_unique<Connector>(loop_, std::move(plan),
                                           [this](Result<Connected> end, const std::vector<Attempt>&) {
                                             end ? connected(std::move(end->fd)) : failed();
                                           });
}

void BannerTalk::connected(Fd fd) {
  if (way_ == Way::plain) return talk(std::make_unique<SocketStream>(std::move(fd)));
  handshaker_ = make_tls_(plan_.name, way_ == Way::tls, [this](const TlsReport& report) {
    BannerTls tls{.version = report.version, .alpn = report.alpn, .subject = {}, .names = {}};
    if (banner_.tls && tls.alpn.empty()) tls.alpn = banner_.tls->alpn;
    if (!report.chain.empty()) {
      tls.subject = report.chain[0].subject;
      tls.names = report.chain[0].names;
    }
    banner_.tls = std::move(tls);
  });
  if (!handshaker_) return failed();
  handshake_ = handshaker_->start(loop_, std::move(fd), plan_.address.to_string(), Deadline::after(kPatience),
                                  [this](Result<std::unique_ptr<Stream>> stream) {
                                    if (!stream) return failed();
                                    // That speaks no HTTP/1: asked again without the offer.
                                    if (way_ == Way::tls && banner_.tls && banner_.tls->alpn == "h2")
                                      return connect(Way::tls_again);
                                    talk(std::move(*stream));
                                  });
}

void BannerTalk::talk(std::unique_ptr<Stream> stream) {
  stream_ = std::move(stream);
  auto watch = loop_.watch(stream_->read_fd(), Interest::read, [this](Ready) { on_ready(); });
  if (!watch) return finish();
  watch_ = std::move(*watch);
  // Servers that speak first do it over TLS too; those where TLS was found by asking do not.
  if (way_ != Way::plain && (tried_plain_ || banner_.tls->alpn.starts_with("h"))) {
    ask();
  } else {
    wait(kPatience);
  }
  if (!stream_->has_buffered_input()) return;
  loop_.post([this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired() && stream_) on_ready();
  });
}

void BannerTalk::wait(Duration patience) {
  patience_ = loop_.timer(Deadline::after(patience), [this] {
    if (received_.empty() && !asking_) return ask();
    answered();
  });
}

void BannerTalk::ask() {
  asking_ = true;
  wait(kPatience);
  watch_.set(Interest::both);
}

void BannerTalk::on_ready() {
  while (asking_ && sent_ < kRequest.size()) {
    const Io io = stream_->write(std::as_bytes(std::span(kRequest)).subspan(sent_));
    if (io.kind == Io::Kind::error) return answered();
    if (io.kind != Io::Kind::bytes) break;
    sent_ += io.count;
  }
  if (stream_->has_buffered_output()) (void)stream_->flush();
  receive();
}

void BannerTalk::receive() {
  std::array<std::byte, kMostBytes> buffer;
  while (received_.size() < kMostBytes) {
    const Io io = stream_->read(std::span(buffer).first(kMostBytes - received_.size()));
    if (io.kind == Io::Kind::end || io.kind == Io::Kind::error) return answered();
    if (io.kind != Io::Kind::bytes) break;
    if (received_.empty()) wait(kMore);
    received_.append(reinterpret_cast<const char*>(buffer.data()), io.count);
  }
  if (heard()) return answered();
  const bool write = (asking_ && sent_ < kRequest.size()) || stream_->has_buffered_output();
  watch_.set(interest(true, write));
}

// Enough to go by, without waiting for more.
bool BannerTalk::heard() const {
  if (received_.size() >= kMostBytes) return true;
  if (received_.starts_with("HTTP/")) return received_.find("\r\n\r\n") != std::string::npos;
  return received_.ends_with('\n');
}

void BannerTalk::answered() {
  if (way_ == Way::plain && !tried_tls_ && (received_.empty() || asks_for_tls(received_)))
    return connect(Way::tls);
  Banner found = read_banner(received_);
  found.tls = std::move(banner_.tls);
  banner_ = std::move(found);
  finish();
}

void BannerTalk::failed() {
  if (way_ != Way::plain && !banner_.tls && !tried_plain_) return connect(Way::plain);
  finish();
}

void BannerTalk::finish() {
  watch_.cancel();
  patience_.cancel();
  limit_.cancel();
  if (stream_) stream_->abort();
  stream_.reset();
  loop_.post([this, alive = std::weak_ptr(alive_)] {
    if (alive.expired() || !done_) return;
    const Done done = std::exchange(done_, nullptr);
    done(std::move(banner_));  // it may destroy this
  });
}

}  // namespace pier
