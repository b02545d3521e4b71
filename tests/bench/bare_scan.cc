// The plainest scanner there is: socket(2), connect(2) and close(2) for one port after another.
//
//   bench_bare_scan ADDRESS FIRST LAST   the open ports of that IPv4 address, a line each
//
// It waits as long as the kernel does for a port that is silent; self-connections are told from open ports.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

bool connects_to_itself(int fd, const sockaddr_in& to) {
  sockaddr_in own{};
  socklen_t size = sizeof own;
  return getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) == 0 && own.sin_port == to.sin_port &&
         own.sin_addr.s_addr == to.sin_addr.s_addr;
}

}  // namespace

int main(int argc, char** argv) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  if (argc != 4 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
    std::fputs("usage: bench_bare_scan ADDRESS FIRST LAST\n", stderr);
    return 2;
  }
  for (int port = std::atoi(argv[2]); port <= std::atoi(argv[3]); ++port) {
    to.sin_port = htons(static_cast<std::uint16_t>(port));
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
      std::perror("socket");
      return 1;
    }
    if (connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0 && !connects_to_itself(fd, to))
      std::printf("%d\n", port);
    close(fd);
  }
  return 0;
}
