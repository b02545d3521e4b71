#include "cmd/scan/banner_asker.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "cmd/scan/banner_talks.h"
#include "cmd/scan/confine.h"
#include "scan/banner_message.h"
#include "scan/descriptors.h"

namespace pier::scan {
namespace {

[[noreturn]] void leave() {
  ::_exit(EXIT_SUCCESS);  // what is the scan's, files above all, stays as it is
}

// Of the scan's descriptors only stderr, for what a sanitizer says, and the channel. Results are not its to
// write, and whoever reads them would wait for it too.
void leave_the_rest(int channel) {
  const Fd none(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (none.valid())
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO}) (void)::dup2(none.get(), fd);
  const auto first = static_cast<unsigned>(STDERR_FILENO + 1);
  const auto kept = static_cast<unsigned>(channel);
  if (kept > first) (void)::close_range(first, kept - 1, 0);
  (void)::close_range(kept + 1, ~0U, 0);
}

class Asker {
 public:
  Asker(const App& app, const ProbePlan& plan, const ProbeSource& source, Fd channel)
      : plan_(plan),
        channel_(std::move(channel)),
        talks_(app, loop_, source, [this](std::uint64_t number, const Banner& banner) {
          say({.number = number, .banner = banner});
        }) {}

  // What needs rights that it will not have then.
  void prepare() {
    raise_descriptor_limit();
    talks_.load_tls();
  }

  void say(const BannerMessage& message) {
    const std::string bytes = to_bytes(message);
    for (std::string_view left = bytes; !left.empty();) {
      const ssize_t n =
          retry_eintr([&] { return ::send(channel_.get(), left.data(), left.size(), MSG_NOSIGNAL); });
      if (n < 0) leave();
      left.remove_prefix(static_cast<std::size_t>(n));
    }
  }

  void run() {
    const auto questions = loop_.watch(channel_.get(), Interest::read, [this](Ready) { take_question(); });
    if (questions) loop_.run();
  }

 private:
  void take_question() {
    std::uint64_t number = 0;
    const ssize_t n =
        retry_eintr([&] { return ::recv(channel_.get(), &number, sizeof number, MSG_DONTWAIT); });
    if (n < 0 && errno == EAGAIN) return;
    if (n != sizeof number || number >= plan_.size()) leave();
    const Pair pair = plan_.at(number);
    talks_.ask(number, {.host = plan_.targets().host_of(pair.address),
                        .address = pair.address,
                        .port = pair.port,
                        .protocol = pair.protocol,
                        .state = PortState::open,
                        .reason = {},
                        .rtt = {},
                        .tries = 0,
                        .index = number});
  }

  const ProbePlan& plan_;
  Fd channel_;
  Loop loop_;
  BannerTalks talks_;
};

}  // namespace

void ask_banners(const App& app, const std::optional<Account>& account, const ProbePlan& plan,
                 const ProbeSource& source, Fd channel) noexcept {
  leave_the_rest(channel.get());
  Asker asker(app, plan, source, std::move(channel));
  asker.prepare();
  BannerMessage ready;
  const auto confined = confine_asker(account);
  if (!confined) ready.banner.text = confined.error().message();
  asker.say(ready);
  if (confined) asker.run();
  leave();
}

}  // namespace pier::scan
