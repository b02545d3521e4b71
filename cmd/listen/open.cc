#include <fmt/core.h>

#include <cerrno>

#include "cmd/listen/run.h"
#include "host/owner.h"
#include "net/interfaces.h"

namespace pier::server {
namespace {

// "this host only", "every interface", or the interface that has the address.
std::string reach_of(const SocketAddress& address) {
  if (!address.is_ip() || address.ip().is_loopback()) return "this host only";
  if (address.ip().is_any()) return "every interface";
  if (address.ip().is_multicast()) return "whoever writes to the group";
  const std::string name = interface_of(address.ip());
  return name.empty() ? "one address" : name;
}

}  // namespace

Result<Listener> open_listener(const ListenPlan& plan) {
  auto listener = Listener::open(plan);
  if (listener || listener.error().code != EADDRINUSE || !plan.endpoint.path.empty()) return listener;
  Error error = listener.error();
  const auto where = parse_endpoint(std::vector<std::string>{error.subject}, {});
  const auto ip = where ? IpAddress::parse(where->host) : std::unexpected(Error{});
  if (!ip) return std::unexpected(error);
  const std::string owner =
      owner_phrase(SocketAddress(*ip, static_cast<std::uint16_t>(where->port)), plan.endpoint.transport);
  error.why = owner.empty() ? "address in use" : "address in use by " + owner;
  return std::unexpected(error);
}

Result<void> become_user(const Run& run, const Plan& plan) {
  if (plan.user) {
    if (const auto become = pier::become(*plan.user); !become) return become;
    run.app.detail(fmt::format("user {} from here on", quoted(plan.user->text)));
  }
  if (!plan.keep_open || run.ends.from_stdin()) return {};
  const auto file = run.ends.open_again();
  if (!file) return std::unexpected(file.error());
  return {};
}

void tell_ready(const Run& run, const Listener& listener) {
  std::string addresses;
  std::vector<std::string> list;
  for (const Listener::Bound& bound : listener.sockets()) {
    list.push_back(bound.address.to_string());
    addresses += (addresses.empty() ? "" : " and ") + list.back();
  }
  const SocketAddress& first = listener.sockets().front().address;
  const std::string words =
      first.is_ip() ? port_words(listener.port(), run.news.host()) + ", " : std::string();
  run.app.note(fmt::format("listening on {} ({}{})", addresses, words, reach_of(first)));
  for (std::size_t i = 0; i < run.passed_names.size(); ++i)
    run.app.detail(fmt::format("{}: passed to us as {}", list[i], quoted(run.passed_names[i])));
  if (run.news.events() == nullptr) return;
  JsonObject record("listening");
  if (!run.passed_names.empty()) record.texts("names", run.passed_names);
  record.texts("addresses", list);
  if (first.is_ip())
    record.number("port", listener.port());
  else
    record.null("port");
  record.text("reach", reach_of(first));
  run.news.events()->write(record);
}

}  // namespace pier::server
