// Why a proxy does not connect, in the words that its protocol has for it.
#pragma once

#include "base/error.h"
#include "proxy/negotiation.h"

namespace pier {

enum class ProxyRefusal {
  not_allowed,          // by the proxy's rules
  network_unreachable,  // the rest is the target's answer, or the lack of one
  host_unreachable,
  refused,
  no_answer,
  unknown_name,
  general,  // the proxy could not, and does not say why
};

// What became of connecting, as the proxy server says it: by the errno, and the kind, of its error.
[[nodiscard]] ProxyRefusal refusal_of(const Error& error);

// As a client tells it. Of the target: "connect db:5432: connection refused, says the proxy". Of the proxy
// itself: "proxy, asked for db:5432: not allowed by its rules".
[[nodiscard]] std::unexpected<Error> target_failed(const ProxyTarget& target, int code, std::string_view why);
[[nodiscard]] std::unexpected<Error> proxy_refused(const ProxyTarget& target, std::string_view why);
// The answer is none of the protocol: "proxy: its answer is no SOCKS 5".
[[nodiscard]] std::unexpected<Error> proxy_garbled(std::string_view why);

}  // namespace pier
