#include "scan/interrupt.h"

#include <sys/signalfd.h>

#include <cerrno>
#include <csignal>

namespace pier {

Result<Interrupt> Interrupt::catch_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM}) {
    struct sigaction action{};
    if (::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) continue;
    sigaddset(&set, number);
  }
  if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0)
    return system_error("sigprocmask", "", errno, ErrorKind::local);
  Fd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return system_error("signalfd", "", errno, ErrorKind::local);
  return Interrupt(std::move(fd));
}

std::optional<int> Interrupt::taken() {
  signalfd_siginfo info{};
  if (!signal_ && ::read(fd_.get(), &info, sizeof info) == sizeof info)
    signal_ = static_cast<int>(info.ssi_signo);
  return signal_;
}

}  // namespace pier
