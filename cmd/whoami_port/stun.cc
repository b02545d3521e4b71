#include "cmd/whoami_port/stun.h"

#include <fmt/core.h>

#include <algorithm>
#include <list>

#include "base/number.h"
#include "cmd/session.h"
#include "cmd/tls_options.h"
#include "cmd/whoami_port/nat.h"
#include "cmd/whoami_port/stun_client.h"
#include "event/resolve.h"
#include "host/route.h"
#include "stream/tls_handshake.h"

namespace pier::whoami {
namespace {

struct Scheme {
  std::string_view prefix;
  bool datagrams;
  bool tls;
};
// RFC 7064 writes "stun:HOST"; with slashes it is one of our own grammar. Add yours here.
constexpr Scheme kSchemes[] = {
    {"stuns://", false, true}, {"stun://", true, false}, {"udp://", true, false}, {"tcp://", false, false},
    {"tls://", false, true},   {"stuns:", false, true},  {"stun:", true, false},
};

// The first of each family.
std::vector<SocketAddress> servers_of(const std::vector<IpAddress>& addresses, std::uint16_t port,
                                      std::optional<Family> only) {
  std::vector<SocketAddress> servers;
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    if (only && family != *only) continue;
    const auto found =
        std::ranges::find_if(addresses, [&](const IpAddress& ip) { return ip.family() == family; });
    if (found != addresses.end()) servers.emplace_back(*found, port);
  }
  return servers;
}

std::string word(bool yes) {
  return yes ? "yes" : "no";
}

class Run {
 public:
  Run(const App& app, Report& report, const StunQuestion& question)
      : app_(app), report_(report), question_(question) {}

  int operator()() {
    if (question_.tls) {
      auto context = TlsContext::client(*question_.tls);
      if (!context) return report_.fail(context.error());
      handshaker_ = std::make_shared<TlsHandshaker>(*context, question_.server_name, report_.steps());
      if (question_.tls->insecure)
        app_.note("tls: --insecure: whoever answers is believed; nothing is verified");
    }
    const Resolution resolution = resolve(loop_, question_.server.host, question_.family,
                                          [this](Result<std::vector<IpAddress>> addresses) {
                                            if (addresses)
                                              begin(*addresses);
                                            else
                                              end_with(addresses.error());
                                          });
    loop_.run();
    if (report_.json())
      for (const JsonObject& record : records_) report_.record(record);
    else
      report_.table(rows_);
    if (answered_ == 0) return report_.fail(*error_);
    if (error_) app_.note(error_->message());
    return report_.end(undetermined_ ? kExitUnknown : kExitYes, true, {{"answered", answered_}});
  }

 private:
  void end_with(Error error) {
    error_ = std::move(error);
    loop_.stop();
  }

  void begin(const std::vector<IpAddress>& addresses) {
    const auto servers =
        servers_of(addresses, static_cast<std::uint16_t>(question_.server.port), question_.family);
    pending_ = servers.size();
    for (const SocketAddress& server : servers) {
      // From the loop, so that one that ends at once does not end the whole.
      loop_.post([this, server] { ask(server); });
    }
    if (servers.empty())
      end_with(
          fail(ErrorKind::failed, "resolve", question_.server.host, "no address of this family").error());
  }

  void ask(const SocketAddress& server) {
    if (!question_.datagrams) {
      connections_.emplace_back(
          loop_, server, handshaker_, question_.longest, report_.steps(),
          [this, server](Result<StunAnswer> answer) { one_done(server, std::move(answer)); });
      return;
    }
    const auto route = route_to(server);
    if (!route) {
      Error error = route.error();
      if (error.kind == ErrorKind::failed) error.kind = ErrorKind::unknown;
      return one_done(server, std::unexpected(std::move(error)));
    }
    if (question_.nat) {
      probes_.emplace_back(loop_, server, route->source, question_.longest, report_.steps(),
                           [this, server](Result<NatFound> found) { nat_done(server, std::move(found)); });
      return;
    }
    auto port = StunPort::open(loop_, route->source, server, report_.steps());
    if (!port) return one_done(server, std::unexpected(port.error()));
    ports_.push_back(*std::move(port));
    ports_.back()->ask({.id = new_stun_id()}, server, question_.longest,
                       [this, server](Result<StunAnswer> answer) { one_done(server, std::move(answer)); });
  }

  // A fault of ours is told rather than a server that does not answer.
  void keep(Error error) {
    if (!error_ || error.kind == ErrorKind::local) error_ = std::move(error);
  }

  void one_done(const SocketAddress& server, Result<StunAnswer> answer) {
    if (answer)
      tell(server, *answer);
    else
      keep(answer.error());
    if (--pending_ == 0) loop_.stop();
  }

  void tell(const SocketAddress& server, const StunAnswer& answer) {
    ++answered_;
    Ends ends;
    ends.transport = question_.datagrams ? Transport::udp : Transport::tcp;
    ends.local = answer.local.ip();
    ends.local_port = answer.local.port();
    ends.remote = server.ip();
    ends.remote_port = server.port();
    ends.role = "client";
    ends.remote_role = "server";
    if (const auto route = route_to(server)) ends.interface = route->interface;
    const IpAddress mapped = answer.message.mapped->ip().unmapped();
    const std::uint16_t port = answer.message.mapped->port();
    const bool translated = mapped != answer.local.ip().unmapped() || port != answer.local.port();
    JsonObject record = port_record(ends);
    put_end(record, "mapped", mapped, port);
    record.boolean("translated", translated).boolean("tls", question_.server.tls);
    text_or_null(record, "software", answer.message.software);
    record.number("rtt_us", std::chrono::duration_cast<std::chrono::microseconds>(answer.took).count());
    record.number("tries", answer.sent);
    records_.push_back(std::move(record));
    auto cells = port_cells(ends);
    cells.insert(cells.end(), {mapped.to_string(), std::to_string(port), class_of(port)});
    if (!question_.nat) rows_.push_back(std::move(cells));
  }

  void nat_done(const SocketAddress& server, const Result<NatFound>& found) {
    if (!found) {
      keep(found.error());
    } else {
      tell(server, *found->answer);
      tell_nat(*found);
    }
    if (--pending_ == 0) loop_.stop();
  }

  void tell_nat(const NatFound& found) {
    const std::string family(to_string(found.family));
    JsonObject record("nat");
    record.text("family", family);
    text_or_null(record, "mapping", found.mapping);
    text_or_null(record, "mapping_why", found.mapping_why);
    text_or_null(record, "filtering", found.filtering);
    text_or_null(record, "filtering_why", found.filtering.empty() ? found.filtering_why : "");
    if (found.hairpin)
      record.boolean("hairpin", *found.hairpin);
    else
      record.null("hairpin");
    text_or_null(record, "hairpin_why", found.hairpin_why);
    records_.push_back(std::move(record));
    const StunAnswer& answer = *found.answer;
    rows_.push_back({family, "local", answer.local.to_string(), ""});
    rows_.push_back({family, "mapped", answer.message.mapped->to_string(), ""});
    rows_.push_back({family, "mapping", found.mapping, found.mapping_why});
    rows_.push_back(
        {family, "filtering", found.filtering, found.filtering.empty() ? found.filtering_why : ""});
    rows_.push_back({family, "hairpin", found.hairpin ? word(*found.hairpin) : "", found.hairpin_why});
    undetermined_ = undetermined_ || found.mapping.empty() || found.filtering.empty();
  }

  const App& app_;
  Report& report_;
  const StunQuestion& question_;
  Loop loop_;
  std::shared_ptr<TlsHandshaker> handshaker_;
  std::list<StunConnection> connections_;
  std::list<NatProbe> probes_;
  std::vector<std::unique_ptr<StunPort>> ports_;
  std::size_t pending_ = 0;
  std::uint64_t answered_ = 0;
  bool undetermined_ = false;
  std::optional<Error> error_;
  std::vector<JsonObject> records_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace

Result<StunQuestion> stun_question(const Parsed& args) {
  if (!args.operands.empty())
    return usage_error("operand", args.operands.front(),
                       "--stun takes its server as its value and nothing else");
  const std::string text = *args.text("stun");
  StunQuestion question;
  std::string_view rest = text;
  bool tls = false;
  for (const Scheme& scheme : kSchemes) {
    if (!rest.starts_with(scheme.prefix)) continue;
    rest.remove_prefix(scheme.prefix.size());
    question.datagrams = scheme.datagrams;
    tls = scheme.tls;
    break;
  }
  // The scheme of a registered service says the port where none is written.
  const std::vector<std::string> words{fmt::format("{}://{}", tls ? "stuns" : "stun", rest)};
  auto server = parse_endpoint(words, {.services = registry_names()});
  if (!server || server->host.empty())
    return usage_error("--stun", text, "give HOST, HOST:PORT, or with udp://, tcp:// or tls:// before it");
  question.server = *std::move(server);
  question.server.tls = tls;
  question.nat = args.has("nat");
  question.longest = args.duration("reply-timeout");
  if (args.has("ipv4")) question.family = Family::ipv4;
  if (args.has("ipv6")) question.family = Family::ipv6;
  if (question.longest && *question.longest <= Duration(0))
    return usage_error("--reply-timeout", *args.text("reply-timeout"), "an answer takes more than no time");
  if (question.nat && !question.datagrams)
    return usage_error("--nat", text, "how a NAT maps and filters is asked over UDP");
  for (const std::string_view option : {"ca", "pin", "server-name", "insecure"})
    if (args.has(option) && !tls)
      return fail(ErrorKind::usage, "--" + std::string(option), "",
                  "needs a server that is asked over tls://");
  if (!tls) return question;
  auto trust = tls_trust(args);
  if (!trust) return std::unexpected(trust.error());
  question.tls = *std::move(trust);
  auto name = tls_server_name(args, question.server);
  if (!name) return std::unexpected(name.error());
  question.server_name = *std::move(name);
  return question;
}

int tell_stun(const App& app, Report& report, const StunQuestion& question) {
  return Run(app, report, question)();
}

}  // namespace pier::whoami
