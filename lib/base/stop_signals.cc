#include "base/stop_signals.h"

#include <poll.h>
#include <sys/signalfd.h>

#include <csignal>

namespace pier {

StopSignals::StopSignals(bool wanted) {
  if (!wanted) return;
  sigset_t both;
  ::sigemptyset(&both);
  ::sigaddset(&both, SIGINT);
  ::sigaddset(&both, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &both, nullptr);
  fd_ = Fd(::signalfd(-1, &both, SFD_CLOEXEC | SFD_NONBLOCK));
}

int StopSignals::seen() {
  signalfd_siginfo info{};
  if (signal_ == 0 && fd_.valid() && ::read(fd_.get(), &info, sizeof info) == sizeof info)
    signal_ = static_cast<int>(info.ssi_signo);
  return signal_;
}

bool StopSignals::wait_readable(int fd) {
  if (!fd_.valid()) return true;
  pollfd either[2] = {{fd, POLLIN, 0}, {fd_.get(), POLLIN, 0}};
  (void)retry_eintr([&] { return ::poll(either, 2, -1); });
  return seen() == 0;
}

}  // namespace pier
