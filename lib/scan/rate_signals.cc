#include "scan/rate_signals.h"

#include <sys/signalfd.h>

#include <cerrno>
#include <csignal>

namespace pier {

Result<RateSignals> RateSignals::catch_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGUSR2);
  if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0)
    return system_error("sigprocmask", "", errno, ErrorKind::local);
  Fd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return system_error("signalfd", "", errno, ErrorKind::local);
  return RateSignals(std::move(fd));
}

int RateSignals::take() {
  int steps = 0;
  signalfd_siginfo info{};
  while (::read(fd_.get(), &info, sizeof info) == sizeof info)
    steps += info.ssi_signo == static_cast<unsigned>(SIGUSR1) ? 1 : -1;
  return steps;
}

}  // namespace pier
