#include "net/service_manager.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/number.h"
#include "net/address.h"

namespace pier {
namespace {

constexpr int kFirst = 3;  // SD_LISTEN_FDS_START
constexpr std::uint64_t kMost = 1024;

std::string_view variable(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

// The parts between colons; names have none in them.
std::vector<std::string> split_names(std::string_view text) {
  std::vector<std::string> names;
  for (;;) {
    const std::size_t colon = text.find(':');
    names.emplace_back(text.substr(0, colon));
    if (colon == std::string_view::npos) return names;
    text.remove_prefix(colon + 1);
  }
}

}  // namespace

bool sockets_were_passed() {
  return !variable("LISTEN_FDS").empty() && variable("LISTEN_PID") == std::to_string(::getpid());
}

Result<std::vector<PassedSocket>> take_passed_sockets() {
  std::vector<PassedSocket> sockets;
  if (!sockets_were_passed()) return sockets;
  const std::string text(variable("LISTEN_FDS"));
  const std::vector<std::string> names = split_names(variable("LISTEN_FDNAMES"));
  for (const char* const name : {"LISTEN_FDS", "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDNAMES"})
    ::unsetenv(name);
  const auto count = parse_unsigned(text, 1, kMost, "LISTEN_FDS");
  if (!count)
    return fail(ErrorKind::local, "LISTEN_FDS", quoted(text), "not a number of sockets from 1 to 1024");
  for (std::size_t i = 0; i < *count; ++i) {
    const int fd = kFirst + static_cast<int>(i);
    const int flags = ::fcntl(fd, F_GETFD);
    if (flags < 0)
      return system_error("LISTEN_FDS", "descriptor " + std::to_string(fd), errno, ErrorKind::local);
    ::fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
    const bool named = i < names.size() && !names[i].empty();
    sockets.push_back({Fd(fd), named ? names[i] : "unknown"});
  }
  return sockets;
}

void tell_service_manager(std::string_view text) {
  const auto address = SocketAddress::unix_path(variable("NOTIFY_SOCKET"));
  if (!address) return;
  const Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (fd.valid())
    (void)::sendto(fd.get(), text.data(), text.size(), MSG_NOSIGNAL, address->data(), address->size());
}

}  // namespace pier
