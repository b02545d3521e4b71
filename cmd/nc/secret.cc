#include "cmd/nc/secret.h"

#include <fcntl.h>
#include <termios.h>

#include "base/fd.h"

namespace pier::nc {
namespace {

constexpr char kInterrupt = '\x03';  // ctrl-C
constexpr char kEnd = '\x04';        // ctrl-D
constexpr std::size_t kMost = 1024;

// Neither echo nor signals, so that no way out leaves the terminal without its echo.
class Quiet {
 public:
  explicit Quiet(int fd) : fd_(fd) {
    known_ = ::tcgetattr(fd, &before_) == 0;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG | ICANON);
    quiet.c_cc[VMIN] = 1;
    quiet.c_cc[VTIME] = 0;
    if (known_) known_ = ::tcsetattr(fd, TCSAFLUSH, &quiet) == 0;
  }
  ~Quiet() {
    if (known_) ::tcsetattr(fd_, TCSAFLUSH, &before_);
  }
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;

 private:
  int fd_;
  termios before_{};
  bool known_ = false;
};

void say(int fd, std::string_view text) {
  (void)!retry_eintr([&] { return ::write(fd, text.data(), text.size()); });
}

}  // namespace

std::optional<std::string> ask_secret(std::string_view prompt) {
  const Fd terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC));
  if (!terminal.valid()) return std::nullopt;
  const Quiet quiet(terminal.get());
  say(terminal.get(), prompt);
  std::optional<std::string> secret = std::string();
  for (;;) {
    char next = 0;
    const ssize_t got = retry_eintr([&] { return ::read(terminal.get(), &next, 1); });
    if (got != 1 || next == kInterrupt || next == kEnd || secret->size() == kMost) secret.reset();
    if (!secret || next == '\n' || next == '\r') break;
    if (next == '\x7f' || next == '\b') {
      if (!secret->empty()) secret->pop_back();
    } else {
      *secret += next;
    }
  }
  say(terminal.get(), "\n");
  return secret;
}

}  // namespace pier::nc
