#include <algorithm>

#include "cmd/whoami_port/modes.h"
#include "event/connector.h"
#include "event/loop.h"
#include "event/resolve.h"
#include "host/route.h"
#include "net/socket.h"

namespace pier::whoami {
namespace {

void put_route(Ends& ends, const Route& route) {
  ends.interface = route.interface;
  ends.gateway = route.gateway;
  ends.mtu = route.mtu;
}

Ends ends_of(Transport transport, const SocketAddress& local, const SocketAddress& remote) {
  Ends ends;
  ends.transport = transport;
  ends.local = local.ip();
  if (local.port() != 0) ends.local_port = local.port();
  ends.remote = remote.ip();
  ends.remote_port = remote.port();
  ends.role = "client";
  ends.remote_role = "server";
  if (const auto route = route_to(remote)) put_route(ends, *route);
  return ends;
}

Result<std::vector<Ends>> by_connecting(const PeerQuestion& question, StepSink* steps) {
  Loop loop;
  Result<std::vector<Ends>> answer =
      fail(ErrorKind::failed, "connect", question.endpoint.to_string(), "no answer");
  ConnectPlan plan;
  plan.endpoint = question.endpoint;
  plan.timeout = question.timeout;
  plan.steps = steps;
  const Connector connector(
      loop, plan, [&](Result<Connected> connected, const std::vector<Attempt>& attempts) {
        if (connected) {
          answer = std::vector{
              ends_of(question.endpoint.transport, local_address(connected->fd.get()), connected->peer)};
        } else {
          answer = std::unexpected(connected.error());
          // Nobody said no: packets were lost or dropped on the way, until the kernel gave up.
          const bool silent =
              std::ranges::any_of(attempts, [](const Attempt& a) { return a.code == ETIMEDOUT; });
          if (silent && answer.error().kind == ErrorKind::failed) answer.error().kind = ErrorKind::unknown;
        }
        loop.stop();
      });
  loop.run();
  return answer;
}

Result<std::vector<IpAddress>> addresses_of(const Endpoint& endpoint) {
  Loop loop;
  Result<std::vector<IpAddress>> answer = std::vector<IpAddress>{};
  const std::string host = endpoint.host.empty() ? "localhost" : endpoint.host;
  const Resolution resolution =
      resolve(loop, host, std::nullopt, [&](Result<std::vector<IpAddress>> addresses) {
        answer = std::move(addresses);
        loop.stop();
      });
  loop.run();
  return answer;
}

void tell_route(StepSink& steps, const SocketAddress& remote, const Result<Route>& route) {
  Step step;
  step.call = "connect";
  step.text = "a datagram socket to " + remote.to_string() + ", which sends nothing";
  step.result = route ? "ok" : errno_text(route.error().code);
  if (route) step.text += ": the route leaves by " + route->interface + " from " + route->source.to_string();
  steps.step(step);
}

// Of each family the first address that has a route. Nothing is bound: which port a connection would get is
// not decided before there is one.
Result<std::vector<Ends>> by_route(const PeerQuestion& question, StepSink* steps) {
  const auto addresses = addresses_of(question.endpoint);
  if (!addresses) return std::unexpected(addresses.error());
  std::vector<Ends> found;
  Error error = fail(ErrorKind::failed, "route to", question.endpoint.host, "no address").error();
  for (const IpAddress& ip : *addresses) {
    if (std::ranges::any_of(found, [&](const Ends& e) { return e.remote->family() == ip.family(); }))
      continue;
    const SocketAddress remote(ip, static_cast<std::uint16_t>(question.endpoint.port));
    const auto route = route_to(remote);
    if (steps != nullptr) tell_route(*steps, remote, route);
    if (route)
      found.push_back(ends_of(question.endpoint.transport, {route->source, 0}, remote));
    else
      error = route.error();
  }
  if (found.empty()) return std::unexpected(std::move(error));
  return found;
}

}  // namespace

int tell_ends(Report& report, const PeerQuestion& question) {
  const auto ends =
      question.connect ? by_connecting(question, report.steps()) : by_route(question, report.steps());
  if (!ends) return report.fail(ends.error());
  std::vector<std::vector<std::string>> rows;
  for (const Ends& one : *ends) {
    if (report.json()) report.record(port_record(one));
    rows.push_back(port_cells(one));
    rows.back().push_back(one.gateway ? one.gateway->to_string() : "");
    rows.back().push_back(one.mtu ? std::to_string(*one.mtu) : "");
  }
  if (!report.json()) report.table(rows);
  return report.end(kExitYes, true);
}

}  // namespace pier::whoami
