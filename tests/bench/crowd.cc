// A crowd for benchmarks that look for the owner of a socket: PARENTS processes with CHILDREN children each,
// every one with FILES descriptors beside its standard ones, and PAIRS TCP connections over 127.0.0.1, both
// ends in a process of its own. One child listens; its port is printed once all are there. Everybody ends
// with our stdin.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

// Connections of one process: two descriptors each, below what a process may usually have.
constexpr int kPairs = 2000;

void open_files(int count) {
  for (int i = 0; i < count; ++i)
    if (::open("/dev/null", O_RDONLY) < 0) ::_exit(1);
}

sockaddr* loopback(sockaddr_in& address) {
  address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return reinterpret_cast<sockaddr*>(&address);
}

// A listening socket; its address is put into `address`.
int listener(sockaddr_in& address) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  socklen_t size = sizeof address;
  if (::bind(fd, loopback(address), size) != 0 || ::listen(fd, 64) != 0) ::_exit(1);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return fd;
}

void connect_pairs(int count) {
  sockaddr_in address;
  const int server = listener(address);
  for (int i = 0; i < count; ++i) {
    const int client = ::socket(AF_INET, SOCK_STREAM, 0);
    if (::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) ::_exit(1);
    if (::accept(server, nullptr, nullptr) < 0) ::_exit(1);
  }
}

// Forks a child that ends with its parent. True in the child.
bool child() {
  const pid_t pid = ::fork();
  if (pid < 0) {
    std::perror("crowd: fork");
    std::exit(1);
  }
  if (pid == 0) ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  return pid == 0;
}

[[noreturn]] void stay(int ready, std::uint16_t port) {
  if (::write(ready, &port, sizeof port) != sizeof port) ::_exit(1);
  for (;;) ::pause();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fputs("usage: bench_crowd PARENTS CHILDREN FILES PAIRS\n", stderr);
    return 2;
  }
  const int parents = std::atoi(argv[1]);
  const int children = std::atoi(argv[2]);
  const int files = std::atoi(argv[3]);
  const int pairs = std::atoi(argv[4]);
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  int ready[2];
  if (::pipe2(ready, O_CLOEXEC) != 0) return 1;
  for (int i = 0; i < parents; ++i) {
    if (!child()) continue;
    for (int j = 0; j < children; ++j) {
      if (!child()) continue;
      open_files(files);
      sockaddr_in address{};
      if (i == 0 && j == 0) (void)listener(address);
      stay(ready[1], ntohs(address.sin_port));
    }
    open_files(files);
    stay(ready[1], 0);
  }
  int expected = parents * (children + 1);
  for (int left = pairs; left > 0; left -= kPairs) {
    ++expected;
    if (!child()) continue;
    connect_pairs(std::min(left, kPairs));
    stay(ready[1], 0);
  }
  ::close(ready[1]);  // so that a child that fails is noticed
  std::uint16_t listening = 0;
  for (int i = 0; i < expected; ++i) {
    std::uint16_t port = 0;
    if (::read(ready[0], &port, sizeof port) != sizeof port) return 1;
    if (port != 0) listening = port;
  }
  std::printf("%d\n", listening);
  std::fflush(stdout);
  for (char byte = 0; ::read(STDIN_FILENO, &byte, 1) > 0;) {
  }
  return 0;
}
