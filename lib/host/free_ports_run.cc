#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "host/free_ports.h"
#include "net/socket.h"

namespace pier {
namespace {

// Where sd_listen_fds(3) begins to count.
constexpr int kFirstPassed = 3;

// What ends a program, or tells it something, and is meant for the one we wait for.
constexpr std::array kHandedOn{SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD};

// Blocks them, and gives the mask of before.
sigset_t block_signals(sigset_t& blocked) {
  sigset_t before;
  sigemptyset(&blocked);
  for (const int number : kHandedOn) sigaddset(&blocked, number);
  ::sigprocmask(SIG_BLOCK, &blocked, &before);
  return before;
}

int status_of(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int wait_for(pid_t child, const sigset_t& blocked) {
  for (;;) {
    siginfo_t info{};
    const int number = retry_eintr([&] { return ::sigwaitinfo(&blocked, &info); });
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) == child) return status_of(status);
    // The terminal's own signals (SI_KERNEL) have gone to all of its processes already.
    if (number > 0 && number != SIGCHLD && info.si_code != SI_KERNEL) ::kill(child, number);
  }
}

Error run_error(const std::string& program, int code) {
  return {.kind = code == ENOENT ? ErrorKind::not_found : ErrorKind::cannot_run,
          .op = "run",
          .subject = program,
          .code = code,
          .why = {}};
}

}  // namespace

Result<void> FreePorts::pass_sockets(bool udp) {
  std::vector<Fd*> wanted;
  for (Held& held : held_) wanted.push_back(&held.tcp);
  if (udp)
    for (Held& held : held_) wanted.push_back(&held.udp);
  const int end = kFirstPassed + static_cast<int>(wanted.size());
  // First out of the way of the numbers they are to have, then to them.
  std::vector<Fd> sockets;
  for (const Fd* fd : wanted) {
    if (auto reuse = set_option(*fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR"); !reuse) return reuse;
    Fd moved(::fcntl(fd->get(), F_DUPFD_CLOEXEC, end));
    if (!moved.valid()) return system_error("fcntl", "", errno, ErrorKind::local);
    sockets.push_back(std::move(moved));
  }
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    const int number = kFirstPassed + static_cast<int>(i);
    // A program expects blocking sockets; dup2 leaves the copy open across exec.
    const int flags = ::fcntl(sockets[i].get(), F_GETFL);
    if (flags < 0 || ::fcntl(sockets[i].get(), F_SETFL, flags & ~O_NONBLOCK) < 0 ||
        retry_eintr([&] { return ::dup2(sockets[i].get(), number); }) < 0) {
      return system_error("dup2", std::to_string(number), errno, ErrorKind::local);
    }
  }
  for (Fd& moved : sockets) (void)moved.release();  // close-on-exec
  return {};
}

void FreePorts::set_environment(bool udp) const {
  std::string names;
  for (const char* transport : {"tcp-", "udp-"}) {
    if (!udp && transport[0] == 'u') break;
    for (const std::uint16_t port : ports_)
      names += (names.empty() ? "" : ":") + std::string(transport) + std::to_string(port);
  }
  ::setenv("LISTEN_FDS", std::to_string(ports_.size() * (udp ? 2 : 1)).c_str(), 1);
  ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  ::setenv("LISTEN_FDNAMES", names.c_str(), 1);
  ::unsetenv("LISTEN_PIDFDID");  // of sockets that somebody passed to us
  ::setenv("PORT", std::to_string(ports_.front()).c_str(), 1);
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    ::setenv(("PORT" + std::to_string(i + 1)).c_str(), std::to_string(ports_[i]).c_str(), 1);
  }
}

Result<int> FreePorts::run(const std::vector<std::string>& command, bool udp) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_error("pipe", "", errno, ErrorKind::local);
  Fd reading(ends[0]);
  Fd writing(ends[1]);
  // Out of the way of the numbers that the sockets are to have.
  const int clear = kFirstPassed + static_cast<int>(2 * held_.size());
  Fd report(::fcntl(writing.get(), F_DUPFD_CLOEXEC, clear));
  if (!report.valid()) return system_error("fcntl", "", errno, ErrorKind::local);
  writing.reset();
  sigset_t blocked;
  const sigset_t before = block_signals(blocked);
  const pid_t child = ::fork();
  if (child < 0) return system_error("fork", "", errno, ErrorKind::local);
  if (child == 0) {
    int code = 0;
    if (const auto passed = pass_sockets(udp); !passed) {
      code = -passed.error().code;
    } else {
      set_environment(udp);
      std::signal(SIGPIPE, SIG_DFL);
      ::sigprocmask(SIG_SETMASK, &before, nullptr);
      std::vector<char*> words;
      for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
      words.push_back(nullptr);
      ::execvp(words[0], words.data());
      code = errno;
    }
    (void)!::write(report.get(), &code, sizeof code);
    ::_exit(127);
  }
  report.reset();
  if (!udp)
    for (Held& held : held_) held.udp.reset();
  int code = 0;
  const ssize_t n = retry_eintr([&] { return ::read(reading.get(), &code, sizeof code); });
  if (n <= 0) return wait_for(child, blocked);
  (void)retry_eintr([&] { return ::waitpid(child, nullptr, 0); });
  if (code < 0) return system_error("dup2", "", -code, ErrorKind::local);
  return std::unexpected(run_error(command.front(), code));
}

}  // namespace pier
