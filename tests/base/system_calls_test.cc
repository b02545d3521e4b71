#include "base/system_calls.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <vector>

namespace pier {
namespace {

constexpr int kNoFilters = 77;

// What `work` says in a process that may do only that: 0 to 76.
int in_a_filter(std::vector<AllowedCall> calls, const std::function<int()>& work) {
  // Its end, and memory, with what a sanitizer does about it.
  for (const long number : {SYS_exit_group, SYS_mmap, SYS_munmap, SYS_sigaltstack}) calls.push_back({number});
  const pid_t child = ::fork();
  if (child == 0) {
    if (const auto done = allow_only(calls); !done)
      ::_exit(done.error().code == ENOSYS || done.error().code == EINVAL ? kNoFilters : kNoFilters + 1);
    ::_exit(work());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// Raw, for the sanitizers watch the functions. 0, or the errno.
int call(long number, long a, long b = 0, long c = 0) {
  return ::syscall(number, a, b, c) < 0 ? errno : 0;
}

TEST(SystemCallsTest, OnlyWhatIsAllowedWorks) {
  const int code = in_a_filter({{SYS_getppid}}, [] {
    if (::syscall(SYS_getppid) <= 0) return 1;
    return call(SYS_dup, 2) == EPERM ? 0 : 2;
  });
  if (code == kNoFilters) GTEST_SKIP() << "this kernel filters no system calls";
  EXPECT_EQ(code, 0);
}

TEST(SystemCallsTest, ArgumentsCount) {
  const int code = in_a_filter(
      {{SYS_socket, 0, AF_INET, 1, SOCK_STREAM}, {SYS_socket, 0, AF_INET6, 1, SOCK_STREAM}, {SYS_dup, 0, 2}},
      [] {
        if (call(SYS_socket, AF_INET, SOCK_STREAM) != 0) return 1;
        if (call(SYS_socket, AF_INET6, SOCK_STREAM) == EPERM) return 2;
        if (call(SYS_socket, AF_INET, SOCK_DGRAM) != EPERM) return 3;
        if (call(SYS_socket, AF_UNIX, SOCK_STREAM) != EPERM) return 4;
        if (call(SYS_socket, AF_UNIX, SOCK_DGRAM) != EPERM) return 5;
        if (call(SYS_dup, 2) != 0) return 6;
        if (call(SYS_dup, 1) != EPERM) return 7;
        return call(SYS_getppid, 0) == EPERM ? 0 : 8;
      });
  if (code == kNoFilters) GTEST_SKIP() << "this kernel filters no system calls";
  EXPECT_EQ(code, 0);
}

}  // namespace
}  // namespace pier
