#include <fmt/core.h>

#include <algorithm>

#include "cmd/listen/run.h"
#include "scan/descriptors.h"

namespace pier::server {
namespace {

// The sockets that wait for clients (one a family), and what the loop opens besides while it runs.
constexpr std::size_t kOurs = 4;
// What each of --workers has besides: its loop, its orders and its sockets.
constexpr std::size_t kWorkers = 5;

// How many descriptors a client takes at most: its socket, and what serves it.
std::size_t descriptors_of_a_client(const Run& run) {
  if (run.forward) return 6;  // the target's socket, and two pipes that the kernel moves the bytes through
  if (run.program) return 4;  // two pipes, and the child's pidfd
  return run.ends.from_stdin() ? 1 : 2;  // the file
}

}  // namespace

std::size_t room_for_clients(const Run& run, const Plan& plan) {
  const std::size_t limit = raise_descriptor_limit();
  const std::size_t free = free_descriptors(limit);
  const std::size_t ours = kOurs + kWorkers * (plan.workers - 1);
  const std::size_t room =
      std::max<std::size_t>((free > ours ? free - ours : 1) / descriptors_of_a_client(run), 1);
  if (plan.limits.clients.value_or(0) > room)
    run.app.note(
        fmt::format("--max-clients {}: the limit of descriptors, {}, has room for {}; more will wait",
                    *plan.limits.clients, limit, room));
  return std::max<std::size_t>(room / plan.workers, 1);
}

}  // namespace pier::server
