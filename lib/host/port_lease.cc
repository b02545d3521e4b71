#include "host/port_lease.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string_view>

#include "base/atomic_file.h"
#include "base/number.h"
#include "base/proc_file.h"
#include "host/process.h"

namespace pier {
namespace {

// A file of leases has a line for each port of this host at most.
constexpr std::size_t kLongestFile = 65536 * 32;

struct Lease {
  std::uint16_t port = 0;
  pid_t holder = 0;
  std::uint64_t started = 0;
};

std::optional<Lease> parse_lease(std::string_view line) {
  std::array<std::uint64_t, 3> numbers{};
  constexpr std::array<std::uint64_t, 3> kMost{UINT16_MAX, INT32_MAX, UINT64_MAX};
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::string_view word = line.substr(0, line.find(' '));
    line.remove_prefix(std::min(word.size() + 1, line.size()));
    const auto number = parse_unsigned(word, i < 2 ? 1 : 0, kMost[i], "lease");
    if (!number) return std::nullopt;
    numbers[i] = *number;
  }
  if (!line.empty()) return std::nullopt;
  return Lease{.port = static_cast<std::uint16_t>(numbers[0]),
               .holder = static_cast<pid_t>(numbers[1]),
               .started = numbers[2]};
}

}  // namespace

Result<PortLease> PortLease::open(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (!fd.valid()) return system_error("open", path, errno, ErrorKind::local);
  if (retry_eintr([&] { return ::flock(fd.get(), LOCK_EX); }) != 0)
    return system_error("lock", path, errno, ErrorKind::local);
  const auto text = read_file(path, kLongestFile);
  if (!text) return std::unexpected(text.error());
  PortLease leases(std::move(fd), path);
  std::string_view rest = *text;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const auto lease = parse_lease(line);
    if (!lease)
      return usage_error("--lease", path, "is there and holds something else than leases: it is not changed");
    if (start_time_of(lease->holder) != lease->started) continue;
    leases.taken_.insert(lease->port);
    leases.lines_ += std::string(line) + '\n';
  }
  return leases;
}

Result<void> PortLease::add(std::span<const std::uint16_t> ports, pid_t holder) {
  const auto started = start_time_of(holder);
  if (!started)
    return fail(ErrorKind::local, "lease", path_, fmt::format("process {} has gone already", holder));
  for (const std::uint16_t port : ports) {
    taken_.insert(port);
    lines_ += fmt::format("{} {} {}\n", port, holder, *started);
  }
  if (::ftruncate(fd_.get(), 0) != 0 || ::lseek(fd_.get(), 0, SEEK_SET) != 0)
    return system_error("write", path_, errno, ErrorKind::local);
  if (const int code = write_all(fd_.get(), lines_); code != 0)
    return system_error("write", path_, code, ErrorKind::local);
  return {};
}

}  // namespace pier
