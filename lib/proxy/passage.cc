#include "proxy/passage.h"

#include <sys/socket.h>

#include <array>
#include <span>

#include "base/number.h"
#include "net/socket.h"
#include "stream/prefix_stream.h"
#include "stream/socket_stream.h"

namespace pier {

class NegotiatedPassage::Dialogue final : public Handshake {
 public:
  Dialogue(NegotiatedPassage& passage, Loop& loop, std::unique_ptr<Stream> stream, const Deadline& deadline,
           Done done)
      : passage_(passage),
        stream_(std::move(stream)),
        plain_(dynamic_cast<SocketStream*>(stream_.get()) != nullptr),
        done_(std::move(done)) {
    const int fd = stream_->read_fd();
    Opening opening = passage.make_(local_address(fd), peer_address(fd));
    negotiation_ = std::move(opening.dialogue);
    output_ = std::move(opening.bytes);
    if (negotiation_) output_ += negotiation_->take_output();
    said_all_ = negotiation_ == nullptr;
    // Writable at once, so that the first word is said from the loop.
    auto watch = loop.watch(fd, Interest::both, [this](Ready) { go_on(); });
    if (watch)
      watch_ = std::move(*watch);
    else
      timer_ = loop.timer(Deadline(now()), [this, error = watch.error()] { end(std::unexpected(error)); });
    if (!watch || deadline.never()) return;
    const Duration given = *deadline.at() - now();
    timer_ = loop.timer(deadline, [this, given] {
      end(fail(ErrorKind::deadline, passage_.label_.name, "", "no answer in " + format_duration(given)));
    });
  }

 private:
  // After either has said no, this may be gone.
  void go_on() {
    while (send() && receive()) continue;
  }

  bool send() {
    if (stream_->has_buffered_output() && stream_->flush().kind == Io::Kind::again) return wait(true);
    while (!output_.empty()) {
      const Io io = stream_->write(std::as_bytes(std::span(output_)));
      if (io.kind == Io::Kind::error) return failed(stream_->error_text(io.code));
      if (io.kind != Io::Kind::bytes) return wait(true);
      output_.erase(0, io.count);
    }
    if (!said_all_) return true;
    finish();
    return false;
  }

  bool receive() {
    std::array<char, 4096> buffer;
    const Io io = look(buffer);
    if (io.kind == Io::Kind::again) return wait(false);
    if (io.kind == Io::Kind::error) return failed(stream_->error_text(io.code));
    if (io.kind == Io::Kind::end) return failed("it closed the connection in the middle of the dialogue");
    const auto fed = negotiation_->receive(std::string_view(buffer.data(), io.count));
    output_ += negotiation_->take_output();
    if (!fed) {
      (void)stream_->write(std::as_bytes(std::span(output_)));  // a last word, if there is one
      end(std::unexpected(named(fed.error())));
      return false;
    }
    if (plain_)
      take(std::span(buffer).first(fed->consumed));
    else
      left_.assign(buffer.data() + fed->consumed, io.count - fed->consumed);
    said_all_ = fed->done;
    return true;
  }

  // The next bytes; of a plain socket, which keeps them.
  Io look(std::span<char> into) {
    if (!plain_) return stream_->read(std::as_writable_bytes(into));
    return Io::of(retry_eintr([&] { return ::recv(stream_->read_fd(), into.data(), into.size(), MSG_PEEK); }),
                  true);
  }

  // Bytes that have been looked at, and so are there.
  void take(std::span<char> bytes) {
    if (!bytes.empty()) (void)stream_->read(std::as_writable_bytes(bytes));
  }

  bool wait(bool to_write) {
    watch_.set(to_write ? Interest::both : Interest::read);
    return false;
  }

  bool failed(std::string why) {
    end(fail(ErrorKind::failed, passage_.label_.name, "", why));
    return false;
  }

  [[nodiscard]] Error named(Error error) const {
    constexpr std::string_view kProxy = "proxy";
    const std::string& name = passage_.label_.name;
    if (name.starts_with(error.op))  // "STARTTLS (smtp)", of "STARTTLS (smtp) mail:25"
      error.op = name;
    else if (error.op.starts_with(kProxy))
      error.op.replace(0, kProxy.size(), name);
    return error;
  }

  void finish() {
    PassageEnd passed;
    const bool again = passage_.over_ && passage_.over_(*negotiation_);
    tell(again ? "once more, on another connection" : "ok");
    watch_.cancel();
    if (!again) passed.stream = std::move(stream_);
    if (!again && !left_.empty())
      passed.stream = std::make_unique<PrefixStream>(std::move(left_), std::move(passed.stream));
    end(std::move(passed));
  }

  void tell(std::string result) const {
    if (passage_.steps_ == nullptr) return;
    const Label& label = passage_.label_;
    passage_.steps_->step({.call = label.call,
                           .fd = stream_->read_fd(),
                           .text = label.name + (label.what.empty() ? "" : ", asked for " + label.what),
                           .result = std::move(result),
                           .fields = {{"peer", label.name}, {"target", label.what}}});
  }

  // The last thing done: the callback may destroy this.
  void end(Result<PassageEnd> result) {
    watch_.cancel();
    timer_.cancel();
    if (!result) tell(result.error().message());
    const Done done = std::move(done_);
    done(std::move(result));
  }

  NegotiatedPassage& passage_;
  std::unique_ptr<Stream> stream_;
  bool plain_;
  std::unique_ptr<Negotiation> negotiation_;
  Done done_;
  Watch watch_;
  Timer timer_;
  std::string output_;
  std::string left_;       // what was read beyond the dialogue
  bool said_all_ = false;  // the dialogue is over, but for output_
};

NegotiatedPassage::NegotiatedPassage(Make make, Label label, StepSink* steps, Over over)
    : make_(std::move(make)), label_(std::move(label)), steps_(steps), over_(std::move(over)) {}

std::unique_ptr<Handshake> NegotiatedPassage::start(Loop& loop, std::unique_ptr<Stream> stream,
                                                    const Deadline& deadline, Done done) {
  return std::make_unique<Dialogue>(*this, loop, std::move(stream), deadline, std::move(done));
}

}  // namespace pier
