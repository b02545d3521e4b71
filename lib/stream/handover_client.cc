#include "stream/handover_client.h"

#include <sys/socket.h>

#include <algorithm>
#include <vector>

#include "net/socket.h"
#include "stream/line_input.h"
#include "stream/socket_stream.h"
#include "stream/stripe_sender.h"

namespace pier {

class HandoverClient::Follow final : public Handshake {
 public:
  Follow(const HandoverClient& client, Loop& loop, std::unique_ptr<Stream> known, const Deadline& deadline,
         Done done)
      : client_(client), loop_(loop), known_(std::move(known)), done_(std::move(done)) {
    server_ = peer_address(known_->read_fd());
    timer_ = loop_.timer(deadline, [this] {
      end(Error{ErrorKind::deadline, "handover", server_.to_string(), 0, "no answer in time"});
    });
    auto watch = loop_.watch(known_->read_fd(), Interest::read, [this](Ready) { hear_offer(); });
    if (watch)
      watch_ = std::move(*watch);
    else
      loop_.post([alive = std::weak_ptr(alive_), this, error = watch.error()] {
        if (alive.lock()) end(error);
      });
  }

 private:
  // One connection to the new port.
  struct Branch {
    std::unique_ptr<Connector> connector;
    Fd fd;
    Watch watch;
    LineInput line{kMostHandoverLine};
    bool taken = false;
  };

  void hear_offer() {
    const auto text = offer_line_.read(known_->read_fd());
    if (!text) return end_with(server_, "no offer came: " + text.error().message());
    if (!*text) return;
    const auto line = parse_handover_line(**text);
    if (!line) return end_with(server_, line.error().message() + ": is there pier-listen --handover?");
    if (line->kind != HandoverLine::Kind::handover) return end_with(server_, "no offer, but another line");
    offer_ = *line;
    watch_.cancel();
    target_ = SocketAddress(server_.ip(), offer_.port);
    ConnectPlan plan = client_.connect_;
    plan.endpoint = Endpoint{.host = server_.ip().to_string(), .port = offer_.port};
    plan.source_port.reset();
    if (plan.source) plan.source = SocketAddress(plan.source->ip(), 0);
    plan.fast_open = false;
    branches_.resize(std::max<std::size_t>(client_.streams_, 1));
    for (std::size_t i = 0; i < branches_.size(); ++i)
      branches_[i].connector = std::make_unique<Connector>(
          loop_, plan, [this, i](Result<Connected> result, const std::vector<Attempt>&) {
            if (!result) return end(result.error());
            branches_[i].fd = std::move(result->fd);
            claim(i);
          });
  }

  void claim(std::size_t i) {
    Branch& branch = branches_[i];
    HandoverLine line{.kind = HandoverLine::Kind::claim, .claim = offer_.claim};
    if (client_.streams_ != 0) {
      line.index = static_cast<std::uint32_t>(i + 1);
      line.count = client_.streams_;
    }
    const std::string text = line.to_string();
    if (::send(branch.fd.get(), text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
      return end_with(target_, "the server has gone");
    auto watch = loop_.watch(branch.fd.get(), Interest::read, [this, i](Ready) { hear_proof(i); });
    if (!watch) return end(watch.error());
    branch.watch = std::move(*watch);
  }

  void hear_proof(std::size_t i) {
    Branch& branch = branches_[i];
    const auto text = branch.line.read(branch.fd.get());
    if (!text) return end_with(target_, "not taken there: " + text.error().message());
    if (!*text) return;
    const auto line = parse_handover_line(**text);
    if (!line || line->kind != HandoverLine::Kind::taken || line->proof != offer_.proof)
      return end_with(target_, "who answers on this port is not the server that named it");
    branch.watch.cancel();
    branch.taken = true;
    if (std::ranges::all_of(branches_, &Branch::taken)) finish();
  }

  void finish() {
    if (client_.streams_ == 0)
      return call(PassageEnd{std::make_unique<SocketStream>(std::move(branches_.front().fd))});
    std::vector<Fd> fds;
    for (Branch& branch : branches_) fds.push_back(std::move(branch.fd));
    auto sender = std::make_unique<StripeSender>(loop_, std::move(fds));
    if (const auto started = sender->start(); !started) return end(started.error());
    call(PassageEnd{std::move(sender)});
  }

  void end_with(const SocketAddress& where, std::string why) {
    end(Error{ErrorKind::failed, "handover", where.to_string(), 0, std::move(why)});
  }
  void end(const Error& error) { call(std::unexpected(error)); }
  void call(Result<PassageEnd> result) {
    timer_.cancel();
    watch_.cancel();
    for (Branch& branch : branches_) branch.watch.cancel();
    const auto done = std::move(done_);
    done(std::move(result));  // may destroy this
  }

  const HandoverClient& client_;
  Loop& loop_;
  std::unique_ptr<Stream> known_;
  Done done_;
  SocketAddress server_;
  SocketAddress target_;
  Watch watch_;
  Timer timer_;
  LineInput offer_line_{kMostHandoverLine};
  HandoverLine offer_;
  std::vector<Branch> branches_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

std::unique_ptr<Handshake> HandoverClient::start(Loop& loop, std::unique_ptr<Stream> stream,
                                                 const Deadline& deadline, Done done) {
  return std::make_unique<Follow>(*this, loop, std::move(stream), deadline, std::move(done));
}

}  // namespace pier
