#include "stream/handover_server.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <list>

#include "base/number.h"
#include "net/socket.h"

namespace pier {

class HandoverServer::Offer final : public Handshake {
 public:
  Offer(HandoverServer& server, Loop& loop, std::unique_ptr<Stream> known, std::string peer,
        const Deadline& deadline, Done done)
      : server_(server),
        loop_(loop),
        known_(std::move(known)),
        peer_(std::move(peer)),
        deadline_(deadline),
        done_(std::move(done)) {}

  void start() {
    if (const auto made = open(); !made) {
      loop_.post([alive = std::weak_ptr(alive_), this, error = made.error()] {
        if (alive.lock()) end(error);
      });
    }
  }

 private:
  // One that has come to the new port and has not said its line, or has.
  struct Guest {
    Fd fd;
    Watch watch;
    LineInput line{kMostHandoverLine};
    std::uint32_t index = 0;  // once claimed, from 1
  };

  Result<void> open() {
    host_ = peer_address(known_->read_fd());
    const SocketAddress here = local_address(known_->read_fd());
    if (!here.is_ip())
      return fail(ErrorKind::failed, "handover", peer_, "only TCP has ports to hand over to");
    auto fd = open_socket(Transport::tcp, here.domain(), server_.plan_.steps);
    if (!fd) return std::unexpected(fd.error());
    listener_ = std::move(*fd);
    if (auto bound = bind_socket(listener_, SocketAddress(here.ip(), 0), server_.plan_.steps); !bound)
      return bound;
    if (auto listening = listen_socket(listener_, kMostStreams, server_.plan_.steps); !listening)
      return listening;
    claim_ = server_.plan_.token();
    proof_ = server_.plan_.token();
    const std::string line = HandoverLine{.kind = HandoverLine::Kind::handover,
                                          .port = local_address(listener_.get()).port(),
                                          .claim = claim_,
                                          .proof = proof_}
                                 .to_string();
    // A fresh connection takes so little at once.
    const Io io = known_->write(std::as_bytes(std::span(line)));
    if (io.kind != Io::Kind::bytes || io.count != line.size())
      return fail(ErrorKind::failed, "handover", peer_, "the client has gone");
    known_->finish_writing();
    auto watch = loop_.watch(listener_.get(), Interest::read, [this](Ready) { accept(); });
    if (!watch) return std::unexpected(watch.error());
    watch_ = std::move(*watch);
    timer_ = loop_.timer(earliest(), [this] { too_late(); });
    return {};
  }

  [[nodiscard]] Deadline earliest() const {
    const TimePoint patience = now() + kHandoverPatience;
    return Deadline(deadline_.never() ? patience : std::min(patience, *deadline_.at()));
  }

  void too_late() {
    const std::size_t came = count_ == 0 ? 0 : claimed();
    if (count_ != 0) return end_with(fmt::format("{} of {} streams came", came, count_));
    end_with("the client has not come to its port within " + format_duration(kHandoverPatience));
  }

  [[nodiscard]] std::size_t claimed() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(guests_, [](const Guest& g) { return g.index != 0; }));
  }

  void accept() {
    while (guests_.size() < kMostStreams) {
      auto accepted = accept_socket(listener_);
      if (!accepted) return end(accepted.error());
      if (!*accepted) return;
      if ((*accepted)->peer.ip() != host_.ip()) {  // somebody else
        reset_on_close((*accepted)->fd.get());
        continue;
      }
      const auto guest = guests_.emplace(guests_.end());
      guest->fd = std::move((*accepted)->fd);
      auto watch = loop_.watch(guest->fd.get(), Interest::read, [this, guest](Ready) { hear(guest); });
      if (!watch) return end(watch.error());
      guest->watch = std::move(*watch);
    }
  }

  void hear(std::list<Guest>::iterator guest) {
    const auto text = guest->line.read(guest->fd.get());
    if (!text) {  // it came and went, and has claimed nothing
      guests_.erase(guest);
      return;
    }
    if (!*text) return;
    const auto line = parse_handover_line(**text);
    if (!line) return end_with(line.error().message());
    if (line->kind != HandoverLine::Kind::claim || line->claim != claim_) return end_with("a wrong token");
    if (line->count != 0 && !server_.plan_.streams)
      return end_with("several streams are put together by --recv, without --keep-open");
    guest->index = line->index;
    guest->watch.cancel();
    if (line->count == 0 && count_ == 0) return take_one(*guest);
    const auto same = std::ranges::count(guests_, line->index, &Guest::index);
    if ((count_ != 0 && line->count != count_) || same != 1)
      return end_with("streams that do not belong together");
    count_ = line->count;
    if (claimed() == count_) take_all();
  }

  [[nodiscard]] bool accept_guest(Guest& guest) const {
    const std::string line = HandoverLine{.kind = HandoverLine::Kind::taken, .proof = proof_}.to_string();
    return ::send(guest.fd.get(), line.data(), line.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(line.size());
  }

  // The token is good once: the port is closed before anybody is told that it was.
  void close_port() {
    watch_.cancel();
    listener_.reset();
  }

  void take_one(Guest& guest) {
    close_port();
    if (!accept_guest(guest)) return end_with("the client has gone");
    finish(std::make_unique<SocketStream>(std::move(guest.fd)));
  }

  void take_all() {
    close_port();
    std::erase_if(guests_, [](const Guest& guest) { return guest.index == 0; });
    guests_.sort([](const Guest& a, const Guest& b) { return a.index < b.index; });
    std::vector<Fd> fds;
    for (Guest& guest : guests_) {
      if (!accept_guest(guest)) return end_with("the client has gone");
      fds.push_back(std::move(guest.fd));
    }
    auto receipt = std::make_shared<StripeReceipt>();
    receipt->fd = Fd(::fcntl(fds.front().get(), F_DUPFD_CLOEXEC, 3));
    server_.receipts_.push_back(receipt);
    finish(std::make_unique<StripeReceiver>(std::move(fds), std::move(receipt)));
  }

  void end_with(std::string why) { end(Error{ErrorKind::failed, "handover", peer_, 0, std::move(why)}); }

  void end(const Error& error) {
    for (Guest& guest : guests_) reset_on_close(guest.fd.get());
    finish(std::unexpected(error));
  }

  void finish(Result<std::unique_ptr<Stream>> result) {
    watch_.cancel();
    timer_.cancel();
    const auto done = std::move(done_);
    done(std::move(result));  // may destroy this
  }

  HandoverServer& server_;
  Loop& loop_;
  std::unique_ptr<Stream> known_;
  std::string peer_;
  Deadline deadline_;
  Done done_;
  SocketAddress host_;
  Fd listener_;
  Watch watch_;
  Timer timer_;
  std::list<Guest> guests_;
  std::string claim_;
  std::string proof_;
  std::uint32_t count_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

std::unique_ptr<Handshake> HandoverServer::start(Loop& loop, std::unique_ptr<Stream> below, std::string peer,
                                                 const Deadline& deadline, Done done) {
  auto offer =
      std::make_unique<Offer>(*this, loop, std::move(below), std::move(peer), deadline, std::move(done));
  offer->start();
  return offer;
}

void HandoverServer::confirm() {
  for (const auto& receipt : receipts_) {
    if (receipt->digest.empty()) continue;
    const std::string line =
        HandoverLine{.kind = HandoverLine::Kind::done, .digest = receipt->digest}.to_string();
    // Nothing was sent before but one line: there is room.
    (void)::send(receipt->fd.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  receipts_.clear();
}

}  // namespace pier
