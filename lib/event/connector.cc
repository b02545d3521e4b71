#include "event/connector.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <string>
#include <utility>

#include "base/number.h"
#include "event/race.h"
#include "event/resolve.h"

namespace pier {
namespace {

std::string failure_text(const Attempt& attempt) {
  const std::string text = errno_text(attempt.code);
  if (!attempt.icmp) return text;
  return text + (is_no_neighbour(*attempt.icmp) ? " (no neighbour answers)" : ", " + describe(*attempt.icmp));
}

std::string fate_text(const Attempt& attempt) {
  if (attempt.end == Attempt::End::no_answer) return "no answer in " + format_duration(attempt.took);
  if (attempt.code == ECONNREFUSED && !attempt.icmp) return "refused";
  return failure_text(attempt);
}

// "10.0.0.5 refused; 10.0.0.6 no answer in 5.00 s; 10.0.0.7 not tried"
std::string fates_text(const RaceResult& result) {
  std::string text;
  for (const Attempt& attempt : result.attempts)
    text += (text.empty() ? "" : "; ") + attempt.address.ip().to_string() + " " + fate_text(attempt);
  for (const SocketAddress& address : result.not_tried)
    text += "; " + address.ip().to_string() + " not tried";
  return text;
}

Error error_of(const ConnectPlan& plan, const RaceResult& result) {
  const std::vector<Attempt>& attempts = result.attempts;
  const bool all_local = std::ranges::all_of(attempts, &Attempt::local);
  if (!result.timed_out && all_local && result.setup) return *result.setup;
  Error error;
  error.op = "connect";
  error.subject = name_of(plan.endpoint);
  error.kind = result.timed_out ? ErrorKind::deadline : all_local ? ErrorKind::local : ErrorKind::failed;
  if (!attempts.empty()) error.code = attempts.back().code;
  if (attempts.size() + result.not_tried.size() > 1)
    error.why = fates_text(result);
  else if (result.timed_out)
    error.why = "no answer in " +
                format_duration(plan.race_timeout.value_or(plan.timeout.value_or(Duration::zero())));
  else if (!attempts.empty() && attempts.back().icmp)
    error.why = failure_text(attempts.back());
  return error;
}

// The one family that will do, when there is such.
Result<std::optional<Family>> family_of(const ConnectPlan& plan) {
  if (!plan.source) return plan.family;
  const std::string source = plan.source->to_string();
  if (!plan.source->is_ip())
    return usage_error("source", source, "an address of this host, with or without a port, fits here");
  const Family family = plan.source->ip().family();
  if (plan.family && *plan.family != family)
    return usage_error(
        "source", source,
        std::string("not of the family asked for, ") + (*plan.family == Family::ipv4 ? "IPv4" : "IPv6"));
  return family;
}

Result<SocketAddress> address_without_host(const Endpoint& endpoint) {
  if (endpoint.transport == Transport::vsock) return SocketAddress::vsock(endpoint.cid, endpoint.port);
  return SocketAddress::unix_path(endpoint.path);
}

}  // namespace

struct Connector::State {
  State(Loop& loop, ConnectPlan plan, Callback callback)
      : loop_(loop),
        plan_(std::move(plan)),
        callback_(std::move(callback)),
        deadline_(Deadline::after(plan_.timeout)) {}

  void start();
  void resolve_host(std::optional<Family> family);
  void resolved(const Result<std::vector<IpAddress>>& answer);
  void race(const std::vector<IpAddress>& addresses);
  void race(std::vector<SocketAddress> addresses);
  void fail_later(Error error);
  void end(Result<Connected> result, const std::vector<Attempt>& attempts);

  Loop& loop_;
  ConnectPlan plan_;
  Callback callback_;
  Deadline deadline_;
  std::shared_ptr<State*> self_ = std::make_shared<State*>(this);  // what posted callbacks look through
  Resolution resolution_;
  Timer timer_;  // while resolving; the race has its own
  std::unique_ptr<Race> race_;
};

void Connector::State::start() {
  const Endpoint& endpoint = plan_.endpoint;
  if (endpoint.transport != Transport::tcp && endpoint.transport != Transport::udp) {
    const auto address = address_without_host(endpoint);
    if (!address) return fail_later(address.error());
    return race(std::vector{*address});
  }
  const auto family = family_of(plan_);
  if (!family) return fail_later(family.error());
  if (!endpoint.host.empty()) return resolve_host(*family);
  std::vector<IpAddress> loopback;
  for (const Family one : {Family::ipv6, Family::ipv4})
    if (!*family || **family == one) loopback.push_back(IpAddress::loopback(one));
  race(loopback);
}

void Connector::State::resolve_host(std::optional<Family> family) {
  resolution_ = resolve(loop_, plan_.endpoint.host, family,
                        [this](const Result<std::vector<IpAddress>>& answer) { resolved(answer); });
  timer_ = loop_.timer(deadline_, [this] {
    resolution_ = Resolution();
    end(fail(ErrorKind::deadline, "resolve", plan_.endpoint.host,
             "no answer in " + format_duration(*plan_.timeout)),
        {});
  });
}

void Connector::State::resolved(const Result<std::vector<IpAddress>>& answer) {
  timer_.cancel();
  const std::vector<IpAddress> addresses = answer ? interleaved(*answer) : std::vector<IpAddress>();
  if (plan_.steps != nullptr && !IpAddress::parse(plan_.endpoint.host)) {
    std::string list;
    for (const IpAddress& one : addresses) list += (list.empty() ? "" : ", ") + one.to_string();
    plan_.steps->step({.call = "resolve",
                       .text = plan_.endpoint.host + (answer ? ": " + list : ""),
                       .result = answer ? "ok" : answer.error().why,
                       .fields = {{"host", plan_.endpoint.host}, {"addresses", list}}});
  }
  if (!answer) return end(std::unexpected(answer.error()), {});
  std::vector<IpAddress> admitted;
  std::ranges::copy_if(addresses, std::back_inserter(admitted),
                       [this](const IpAddress& one) { return plan_.hosts.admit(one); });
  if (admitted.empty() && !addresses.empty())
    return end(
        std::unexpected(Error{ErrorKind::failed, "connect", name_of(plan_.endpoint), EPERM, "not allowed"}),
        {});
  race(admitted);
}

void Connector::State::race(const std::vector<IpAddress>& addresses) {
  std::vector<SocketAddress> targets;
  for (const IpAddress& one : addresses)
    targets.emplace_back(one, static_cast<std::uint16_t>(plan_.endpoint.port));
  race(std::move(targets));
}

void Connector::State::race(std::vector<SocketAddress> addresses) {
  if (plan_.race_timeout) {
    const Deadline own = Deadline::after(plan_.race_timeout);
    if (deadline_.never() || *own.at() < *deadline_.at()) deadline_ = own;
  }
  RacePlan plan{.addresses = std::move(addresses),
                .transport = plan_.endpoint.transport,
                .source = plan_.source,
                .source_port = plan_.source_port,
                .options = plan_.options,
                .interface = plan_.interface,
                .mptcp = plan_.mptcp,
                .fast_open = plan_.fast_open,
                .deadline = deadline_,
                .stagger = plan_.stagger,
                .steps = plan_.steps,
                .on_attempt = plan_.on_attempt};
  race_ = std::make_unique<Race>(loop_, std::move(plan), [this](RaceResult result) {
    if (result.winner) return end(std::move(*result.winner), result.attempts);
    end(std::unexpected(error_of(plan_, result)), result.attempts);
  });
}

void Connector::State::fail_later(Error error) {
  loop_.post([waiting = std::weak_ptr(self_), error = std::move(error)] {
    if (const auto self = waiting.lock()) (*self)->end(std::unexpected(error), {});
  });
}

// The last thing done: the callback may destroy the connector.
void Connector::State::end(Result<Connected> result, const std::vector<Attempt>& attempts) {
  const Callback callback = std::move(callback_);
  callback(std::move(result), attempts);
}

Connector::Connector(Loop& loop, ConnectPlan plan, Callback callback)
    : state_(std::make_unique<State>(loop, std::move(plan), std::move(callback))) {
  state_->start();
}

Connector::~Connector() = default;
Connector::Connector(Connector&&) noexcept = default;
Connector& Connector::operator=(Connector&&) noexcept = default;

std::string name_of(const Endpoint& endpoint) {
  const bool ip = endpoint.transport == Transport::tcp || endpoint.transport == Transport::udp;
  if (ip && endpoint.host.empty()) return "localhost:" + std::to_string(endpoint.port);
  return endpoint.to_string();
}

std::vector<IpAddress> interleaved(std::vector<IpAddress> addresses) {
  if (addresses.empty()) return addresses;
  std::vector<IpAddress> first, other, mixed;
  for (const IpAddress& one : addresses)
    (one.family() == addresses.front().family() ? first : other).push_back(one);
  for (std::size_t i = 0; i < std::max(first.size(), other.size()); ++i) {
    if (i < first.size()) mixed.push_back(first[i]);
    if (i < other.size()) mixed.push_back(other[i]);
  }
  return mixed;
}

}  // namespace pier
