#include "cmd/session.h"

#include <csignal>

#include "net/address.h"
#include "ports/port_class.h"
#include "ports/services.h"

namespace pier {

ServiceNames registry_names() {
  return {.port_of = service_port, .nearest = nearest_service, .is_tls = is_tls_service};
}

Transport transport_of(const Parsed& args) {
  if (args.has("unix")) return args.has("udp") ? Transport::unix_dgram : Transport::unix_stream;
  return args.has("udp") ? Transport::udp : Transport::tcp;
}

Result<std::optional<Family>> family_of(const Parsed& args, const Endpoint& endpoint) {
  std::optional<Family> family;
  if (args.has("ipv4")) family = Family::ipv4;
  if (args.has("ipv6")) family = Family::ipv6;
  if (!family) return family;
  const std::string option = *family == Family::ipv4 ? "-4" : "-6";
  if (!endpoint.path.empty() || endpoint.transport == Transport::vsock)
    return usage_error(option, endpoint.to_string(), "only an Internet address has a family");
  const auto literal = IpAddress::parse(endpoint.host);
  if (literal && literal->family() != *family)
    return usage_error(
        option, endpoint.host,
        literal->family() == Family::ipv4 ? "this is an IPv4 address" : "this is an IPv6 address");
  return family;
}

Result<Endpoint> endpoint_of(std::span<const std::string> words, const Parsed& args, bool port_zero) {
  return parse_endpoint(
      words, {.transport = transport_of(args), .port_zero = port_zero, .services = registry_names()});
}

Result<SocketOptions> socket_options_of(const Parsed& args, const Endpoint& endpoint) {
  const bool tcp = endpoint.transport == Transport::tcp;
  for (const std::string_view flag : {"mss", "nodelay", "congestion", "keepalive"})
    if (args.has(flag) && !tcp)
      return usage_error("--" + std::string(flag), endpoint.to_string(), "only TCP has this option");
  for (const std::string_view flag : {"tos", "ttl"})
    if (args.has(flag) && !tcp && endpoint.transport != Transport::udp)
      return usage_error("--" + std::string(flag), endpoint.to_string(),
                         "only TCP and UDP send packets that carry it");
  SocketOptions options;
  const auto number = [&](std::string_view flag) -> std::optional<int> {
    const auto value = args.number(flag);
    if (!value) return std::nullopt;
    return static_cast<int>(*value);
  };
  constexpr std::uint64_t kMostBuffer = 1U << 30U;  // the kernel doubles it within 31 bits
  for (const std::string_view flag : {"sndbuf", "rcvbuf"})
    if (const auto size = args.number(flag); size && (*size == 0 || *size > kMostBuffer))
      return usage_error("--" + std::string(flag), *args.text(flag), "not a size from 1 to 1G");
  options.send_buffer = number("sndbuf");
  options.receive_buffer = number("rcvbuf");
  options.segment = number("mss");
  options.no_delay = args.has("nodelay");
  options.keep_alive = args.has("keepalive");
  options.congestion = args.text("congestion").value_or("");
  options.tos = number("tos");
  options.ttl = number("ttl");
  if (args.has("congestion") && options.congestion.empty())
    return usage_error("--congestion", "", "not a name such as cubic or reno");
  return options;
}

void note_cut_buffers(const App& app, const SocketOptions& options) {
  for (const std::string& line : cut_buffers(options)) app.note(line);
}

Result<void> check_exec(const Parsed& args) {
  if (args.has("exec") && args.command.empty())
    return fail(ErrorKind::usage, "no program", "", "--exec runs the words after --, as in --exec -- wc -c");
  return {};
}

Result<std::optional<Program>> program_of(const Parsed& args) {
  Result<Program> program = std::unexpected(Error{});
  if (args.has("exec"))
    program = find_program(args.command);
  else if (const auto command = args.text("sh-exec"))
    program = shell_program(*command);
  else
    return std::nullopt;
  if (!program) return std::unexpected(program.error());
  return std::move(*program);
}

Result<void> check_limit_rate(const Parsed& args, const Endpoint& endpoint) {
  if (args.has("limit-rate") && is_datagram(endpoint.transport))
    return usage_error("--limit-rate", endpoint.to_string(), "datagrams that are held back are lost");
  return {};
}

RelayRules relay_rules(const App& app, const LocalEnds& ends, bool listening, News& news) {
  const Parsed& args = app.args;
  RelayRules rules;
  rules.send = !args.has("recv-only");
  rules.receive = !args.has("send-only");
  // Row 11: a server under systemd, nohup or cron has nothing to say, and that is no end of anything. One
  // that is to send only has sent it all (row 13).
  const FdKind input = ends.in_kind();
  if (listening && rules.receive && ends.from_stdin() && input == FdKind::null_device) rules.send = false;
  rules.half_close = !args.has("no-half-close");
  rules.keep_input = args.has("keep-stdin");
  rules.input_is_terminal = input == FdKind::terminal;
  rules.crlf = args.has("crlf");
  rules.idle_timeout = args.duration("idle-timeout");
  rules.input_name = ends.input_name();
  rules.output_name = ends.output_name();
  rules.rate_limit = args.number("limit-rate");
  rules.taps = news.taps();
  rules.steps = news.steps();
  return rules;
}

std::string port_words(std::uint16_t port, const HostPorts& host) {
  std::string words(to_string(port_class(port)));
  if (host.is_privileged(port)) words += ", privileged";
  if (host.is_ephemeral(port)) words += ", ephemeral-here";
  if (host.is_reserved(port)) words += ", reserved-here";
  return words;
}

namespace {

// Whether nothing of the peer's is written to stdout.
bool stdout_is_free(const Parsed& args) {
  return args.text("recv").value_or("-") != "-" || args.has("send-only") || args.has("exec") ||
         args.has("sh-exec");
}

}  // namespace

Result<std::unique_ptr<News>> News::open(const App& app, std::string_view role, bool announce) {
  std::unique_ptr<News> news(new News(app));
  if (const auto where = app.args.text("events")) {
    auto log = EventLog::open(*where, app.command.name);
    if (!log) return std::unexpected(log.error());
    news->events_ = std::move(*log);
  }
  if (const auto where = app.args.text("hex-dump")) {
    auto dump = HexDump::open(*where, stdout_is_free(app.args),
                              [news = news.get()](const Error& error) { news->fault_(error); });
    if (!dump) return std::unexpected(dump.error());
    news->dump_ = std::move(*dump);
  }
  if (const auto where = app.args.text("transcript")) {
    auto transcript = Transcript::open(*where, stdout_is_free(app.args),
                                       [news = news.get()](const Error& error) { news->fault_(error); });
    if (!transcript) return std::unexpected(transcript.error());
    news->transcript_ = std::move(*transcript);
  }
  if (app.args.has("explain"))
    news->explain_ = std::make_unique<Explain>(
        [&app, self = news.get()](std::string_view line) { self->say(app, line); },
        [&host = news->host_](std::uint16_t port) { return port_words(port, host); }, news->events_.get());
  SessionReportOptions options;
  options.announce = (announce || app.verbosity > 0) && !app.quiet;
  options.summary = app.args.has("summary");
  options.role = role;
  options.events = news->events_.get();
  options.steps = news->explain_.get();
  options.say = [&app, self = news.get()](std::string_view line) { self->say(app, line); };
  options.detail = [&app, self = news.get()](std::string_view line) {
    if (self->before_) self->before_();
    app.detail(line);
  };
  options.port_word = [&host = news->host_](std::uint16_t port) {
    return host.is_ephemeral(port) ? std::string("ephemeral") : std::string(to_string(port_class(port)));
  };
  news->report_ = std::make_unique<SessionReport>(std::move(options));
  return news;
}

void News::say(const App& app, std::string_view line) {
  if (before_) before_();
  app.note(line);
}

std::function<Taps(const Session&)> News::taps() {
  if (!dump_ && !transcript_) return {};
  return [dump = dump_.get(), transcript = transcript_.get()](const Session& session) {
    const std::string peer = session.peer.to_string();
    const auto both = [&](char mark, std::string direction) -> Tap {
      const Tap dumped = dump != nullptr ? dump->tap(mark, peer) : Tap();
      const Tap told = transcript != nullptr ? transcript->tap(std::move(direction), peer) : Tap();
      if (!dumped || !told) return dumped ? dumped : told;
      return [dumped, told](std::span<const std::byte> bytes) {
        dumped(bytes);
        told(bytes);
      };
    };
    return Taps{.sent = both('>', "sent"), .received = both('<', "received")};
  };
}

int News::end_with(int exit_code) {
  if (transcript_ && !transcript_->end(exit_code) && exit_code == kExitYes) exit_code = kExitUsage;
  if (!events_) return exit_code;
  JsonObject record("summary");
  record.boolean("complete", exit_code == kExitYes).number("exit", exit_code);
  record.number("sessions", report_->sessions()).number("refused", report_->refusals());
  record.number("bytes_in", report_->received()).number("bytes_out", report_->sent());
  record.real("elapsed_s", seconds(now() - started_));
  events_->write(record);
  const auto whole = events_->check();
  if (whole) return exit_code;
  const int fault = app_.fail(whole.error());
  return exit_code == kExitYes ? fault : exit_code;
}

// Where nobody ever came, there is nothing to tell of the file that would have been.
Result<std::string> News::settle(bool complete) {
  if (ends_ == nullptr) return std::string();
  auto fate = ends_->settle(complete, report_->received());
  if (fate && report_->sessions() == 0) fate->clear();
  return fate;
}

int News::end(const App& app, const RelayResult& result) {
  if (result.output_closed) {
    (void)settle(false);
    return end_with(kExitSignal + SIGPIPE);
  }
  std::optional<Error> error = result.error;
  if (!error)
    if (const auto settled = settle(true); !settled) error = settled.error();
  const int code = error ? tell(app, std::move(*error)) : kExitYes;
  return end_with(result.exit_status.value_or(0) != 0 ? *result.exit_status : code);
}

int News::end(const App& app, Error error) {
  return end_with(tell(app, std::move(error)));
}

int News::tell(const App& app, Error error) {
  if (const auto fate = settle(false); fate && !fate->empty()) {
    if (error.why.empty() && error.code != 0) error.why = errno_text(error.code);
    error.why += (error.why.empty() ? "" : "; ") + *fate;
  }
  return app.fail(error);
}

int News::end_by_signal(const App& app, int number) {
  if (const auto fate = settle(false); fate && !fate->empty()) app.note(*fate);
  return end_with(kExitSignal + number);
}

}  // namespace pier
