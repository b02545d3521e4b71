// The least an echo server can do: bench_bare_echo PORT, one thread, one epoll set, no memory of its own a
// client.
//
// It is what pier's --echo is measured against. What a client does not take at once is not kept: it is reset.
#include <string>

#include "client_socket.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: bench_bare_echo PORT\n", stderr);
    return 2;
  }
  bench::raise_descriptor_limit();
  const pier::Fd listener(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in where = bench::address(INADDR_LOOPBACK, static_cast<std::uint16_t>(std::atoi(argv[1])));
  if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0) bench::die("bind");
  if (listen(listener.get(), 4096) != 0) bench::die("listen");
  bench::Epoll epoll;
  epoll.add(listener.get(), static_cast<std::size_t>(listener.get()), EPOLLIN);
  std::vector<char> buffer(64 * 1024);
  for (;;) {
    for (const epoll_event& event : epoll.wait(-1)) {
      const int fd = static_cast<int>(event.data.u64);
      if (fd == listener.get()) {
        for (int client; (client = accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;)
          epoll.add(client, static_cast<std::size_t>(client), EPOLLIN);
        continue;
      }
      const ssize_t got = recv(fd, buffer.data(), buffer.size(), 0);
      if (got < 0 && errno == EAGAIN) continue;
      if (got <= 0 || send(fd, buffer.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL) != got)
        pier::Fd(fd).reset();
    }
  }
}
