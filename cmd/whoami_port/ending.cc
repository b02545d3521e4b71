#include "cmd/whoami_port/ending.h"

#include <algorithm>
#include <cerrno>

namespace pier::whoami {

EndingSignals::EndingSignals() {
  sigemptyset(&set_);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set_, number);
  ::sigprocmask(SIG_BLOCK, &set_, nullptr);
}

std::optional<int> EndingSignals::wait(std::optional<Duration> longest) const {
  const Deadline deadline = Deadline::after(longest);
  for (;;) {
    int number = 0;
    if (deadline.never()) {
      number = ::sigwaitinfo(&set_, nullptr);
    } else {
      const auto left = std::max(Duration(0), *deadline.at() - now());
      const auto whole = std::chrono::duration_cast<std::chrono::seconds>(left);
      const timespec most{.tv_sec = whole.count(), .tv_nsec = (left - whole).count()};
      number = ::sigtimedwait(&set_, nullptr, &most);
    }
    if (number > 0) return number;
    if (errno != EINTR) return std::nullopt;
  }
}

}  // namespace pier::whoami
