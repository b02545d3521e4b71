#include "proxy/refusal.h"

#include <cerrno>

namespace pier {

ProxyRefusal refusal_of(const Error& error) {
  if (error.kind == ErrorKind::deadline) return ProxyRefusal::no_answer;
  if (error.op == "resolve") return ProxyRefusal::unknown_name;
  switch (error.code) {
    case EPERM:
    case EACCES:
      return ProxyRefusal::not_allowed;
    case ECONNREFUSED:
    case ECONNRESET:
      return ProxyRefusal::refused;
    case ENETUNREACH:
      return ProxyRefusal::network_unreachable;
    case EHOSTUNREACH:
    case EHOSTDOWN:
      return ProxyRefusal::host_unreachable;
    case ETIMEDOUT:
      return ProxyRefusal::no_answer;
    default:
      return ProxyRefusal::general;
  }
}

std::unexpected<Error> target_failed(const ProxyTarget& target, int code, std::string_view why) {
  return std::unexpected(
      Error{ErrorKind::failed, "connect", target.to_string(), code, std::string(why) + ", says the proxy"});
}

std::unexpected<Error> proxy_refused(const ProxyTarget& target, std::string_view why) {
  return fail(ErrorKind::failed, "proxy, asked for " + target.to_string(), "", why);
}

std::unexpected<Error> proxy_garbled(std::string_view why) {
  return fail(ErrorKind::failed, "proxy", "", why);
}

}  // namespace pier
