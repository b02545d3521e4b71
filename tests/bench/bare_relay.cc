// The calls of a fast relay and nothing else: what the kernel gives on this machine, to read pier's figures
// by.
//
//   bench_bare_relay send-file PORT     stdin, a file, to 127.0.0.1:PORT by sendfile(2), 1 MiB a call
//   bench_bare_relay send-pipe PORT     stdin, a pipe, by splice(2)
//   bench_bare_relay recv-splice PORT   one client to stdout by splice(2) through a pipe, of 1 MiB towards a
//                                       file, or else 256 KiB
//   bench_bare_relay recv-pipe PORT     one client to stdout, a pipe, by splice(2)
//   bench_bare_relay recv-read PORT     one client to stdout by read(2) and write(2), 256 KiB a call
//   bench_bare_relay recv-count PORT    one client to nowhere; prints how many bytes that were
//   bench_bare_relay count              stdin to its end; prints how many bytes that were
//
// Every descriptor blocks; the first failure ends the program.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace {

constexpr std::size_t kLargeCall = 1024 * 1024;
constexpr int kPipe = 256 * 1024;
constexpr int kPipeToFile = 1024 * 1024;

ssize_t check(ssize_t result, const char* call) {
  if (result >= 0) return result;
  std::perror(call);
  std::exit(1);
}

int open_socket() {
  return static_cast<int>(check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
}

sockaddr_in loopback(const char* port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int connect_to(const char* port) {
  const int fd = open_socket();
  const sockaddr_in address = loopback(port);
  check(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), "connect");
  return fd;
}

int accept_one(const char* port) {
  const int listener = open_socket();
  const sockaddr_in address = loopback(port);
  check(bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind");
  check(listen(listener, 1), "listen");
  return static_cast<int>(check(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC), "accept4"));
}

void send_file(int socket) {
  while (check(sendfile(socket, STDIN_FILENO, nullptr, kLargeCall), "sendfile") > 0) {
  }
}

// Either end must be a pipe.
void splice_all(int from, int to) {
  while (check(splice(from, nullptr, to, nullptr, kLargeCall, SPLICE_F_MOVE | SPLICE_F_MORE), "splice") > 0) {
  }
}

void splice_through_pipe(int socket) {
  int ends[2];
  check(pipe2(ends, O_CLOEXEC), "pipe2");
  struct stat to{};
  check(fstat(STDOUT_FILENO, &to), "fstat");
  const int size = S_ISREG(to.st_mode) ? kPipeToFile : kPipe;
  fcntl(ends[1], F_SETPIPE_SZ, size);
  for (;;) {
    ssize_t held = check(
        splice(socket, nullptr, ends[1], nullptr, static_cast<std::size_t>(size), SPLICE_F_MOVE), "splice");
    if (held == 0) return;
    while (held > 0)
      held -= check(
          splice(ends[0], nullptr, STDOUT_FILENO, nullptr, static_cast<std::size_t>(held), SPLICE_F_MOVE),
          "splice");
  }
}

void read_and_write(int socket) {
  std::vector<char> buffer(kPipe);
  for (;;) {
    const ssize_t got = check(read(socket, buffer.data(), buffer.size()), "read");
    if (got == 0) return;
    for (ssize_t done = 0; done < got;)
      done +=
          check(write(STDOUT_FILENO, buffer.data() + done, static_cast<std::size_t>(got - done)), "write");
  }
}

void count(int from) {
  std::vector<char> buffer(kPipe);
  long long total = 0;
  while (const ssize_t got = check(read(from, buffer.data(), buffer.size()), "read")) total += got;
  std::printf("%lld\n", total);
}

// Ends our side and waits for the peer's end, so that what was sent has been read.
void finish(int socket) {
  char byte = 0;
  check(shutdown(socket, SHUT_WR), "shutdown");
  check(read(socket, &byte, 1), "read");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view way = argc > 1 ? argv[1] : "";
  if (way == "count") {
    count(STDIN_FILENO);
    return 0;
  }
  if (argc == 3 && way.starts_with("send-")) {
    const int socket = connect_to(argv[2]);
    if (way == "send-file")
      send_file(socket);
    else
      splice_all(STDIN_FILENO, socket);
    finish(socket);
    return 0;
  }
  if (argc == 3 && way.starts_with("recv-")) {
    const int socket = accept_one(argv[2]);
    if (way == "recv-splice")
      splice_through_pipe(socket);
    else if (way == "recv-pipe")
      splice_all(socket, STDOUT_FILENO);
    else if (way == "recv-count")
      count(socket);
    else
      read_and_write(socket);
    return 0;
  }
  std::fputs(
      "usage: bench_bare_relay send-file|send-pipe|recv-splice|recv-pipe|recv-read|recv-count PORT, or "
      "count\n",
      stderr);
  return 2;
}
