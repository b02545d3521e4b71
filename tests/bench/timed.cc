// Runs one program and reports how it ended and what it used: bench_timed FD PROGRAM [ARGUMENT…].
//
// One line goes to descriptor FD when the program has ended: its wait status, its start and end in
// nanoseconds of CLOCK_MONOTONIC, user and system time in microseconds, and its peak of resident memory in
// KiB (getrusage(2)).
//
// Started by a larger program the peak would be wrong: exec(2) keeps the high-water mark of the memory it
// replaces, so that no child of a Python interpreter would ever have used less than the interpreter. A fork
// of this small one has next to nothing.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace {

long long monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

long long microseconds(const timeval& time) {
  return time.tv_sec * 1'000'000LL + time.tv_usec;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: bench_timed FD PROGRAM [ARGUMENT...]\n", stderr);
    return 2;
  }
  const int report = std::atoi(argv[1]);
  fcntl(report, F_SETFD, FD_CLOEXEC);
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // nothing outlives a bench that is killed
  const long long start = monotonic_ns();
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execvp(argv[2], argv + 2);
    std::fprintf(stderr, "%s: %s\n", argv[2], std::strerror(errno));
    _exit(127);
  }
  if (child < 0) {
    std::perror("bench_timed: fork");
    return 2;
  }
  int status = 0;
  rusage used{};
  while (wait4(child, &status, 0, &used) < 0 && errno == EINTR) {
  }
  dprintf(report, "%d %lld %lld %lld %lld %ld\n", status, start, monotonic_ns(), microseconds(used.ru_utime),
          microseconds(used.ru_stime), used.ru_maxrss);
  return 0;
}
