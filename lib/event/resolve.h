// Host names to addresses without stopping the loop: getaddrinfo(3) on a thread of its own.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "event/loop.h"
#include "net/address.h"

namespace pier {

// Destroying it cancels: the callback never runs. (The thread, which nothing can interrupt, ends by itself
// later and touches nothing of the loop.)
class Resolution {
 public:
  struct State;
  Resolution() = default;

 private:
  friend Resolution resolve(Loop&, const std::string&, std::optional<Family>,
                            std::function<void(Result<std::vector<IpAddress>>)>);
  std::shared_ptr<State> state_;
  Watch watch_;
};

// The addresses of `host`, in the order of RFC 6724 as getaddrinfo gives them, without repeats; an address
// literal is answered without a thread. The callback never runs before resolve() has returned. An error is
// ErrorKind::failed ("resolve nosuch.example: name not known"), or ErrorKind::usage for text that only looks
// like an address, which is never looked up. `family` keeps one family only.
[[nodiscard]] Resolution resolve(Loop& loop, const std::string& host, std::optional<Family> family,
                                 std::function<void(Result<std::vector<IpAddress>>)> callback);

// The same answer, while the caller waits.
[[nodiscard]] Result<std::vector<IpAddress>> resolve_now(const std::string& host,
                                                         std::optional<Family> family);

}  // namespace pier
