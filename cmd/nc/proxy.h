// The way through a proxy: -x, -X and -P.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "base/fd.h"
#include "cmd/nc/options.h"
#include "event/loop.h"
#include "proxy/http_auth.h"
#include "stream/passage.h"

namespace pier::nc {

class ProxyWay {
 public:
  ProxyWay(Loop& loop, const Options& options) : loop_(loop), options_(options) {}

  struct Passed {
    Fd socket;           // that leads to the destination
    bool again = false;  // none: the same is to be asked on a fresh connection to the proxy
  };
  // Asks the proxy at the other end of `socket` for the destination's `port`. An error is one line in nc's
  // words: "connection failed, SOCKSv5 error: Connection refused".
  [[nodiscard]] std::expected<Passed, std::string> pass(Fd socket, std::uint16_t port);

 private:
  struct Dialogue;
  [[nodiscard]] std::expected<Dialogue, std::string> begin(std::uint16_t port);
  [[nodiscard]] std::expected<Passed, std::string> hold(Fd socket, Dialogue dialogue);
  [[nodiscard]] std::expected<Passed, std::string> after_failure(const Error& error,
                                                                 const Dialogue& dialogue);
  [[nodiscard]] ProxyKind kind() const { return options_.proxy_kind.value_or(ProxyKind::socks5); }

  Loop& loop_;
  const Options& options_;
  std::shared_ptr<HttpProxyAuth> auth_;  // once the proxy has asked
};

}  // namespace pier::nc
