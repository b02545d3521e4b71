#include "cmd/scan/report.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "base/number.h"
#include "cmd/session.h"
#include "out/scan_rows.h"
#include "ports/port_class.h"
#include "ports/registry.h"

namespace pier::scan {
namespace {

std::string_view class_of(std::uint16_t port) {
  return to_string(port_class(port));
}

void print_on_stderr(std::string_view text) {
  Writer err(STDERR_FILENO);
  err.put(text);
  err.flush();
}

// Hosts named in the closing line; the record has them all.
constexpr std::size_t kMostNamed = 3;

std::vector<std::string> addresses(std::span<const IpAddress> all, std::size_t most) {
  std::vector<std::string> texts;
  for (const IpAddress& address : all.first(std::min(most, all.size()))) texts.push_back(address.to_string());
  return texts;
}

// As it was typed, but for quotes.
std::string command_line(const App& app) {
  std::string line(app.command.name);
  for (const Parsed::Given& given : app.args.given)
    line += fmt::format(" --{}{}{}", given.flag->name, given.value.empty() ? "" : "=", given.value);
  for (const std::string& operand : app.args.operands) line += " " + operand;
  return line;
}

NmapXml::Run xml_run(const App& app, const Options& options) {
  NmapXml::Run run;
  run.args = command_line(app);
  run.started = std::time(nullptr);
  run.tcp_ports = options.ports.size(PortProtocol::tcp);
  run.udp_ports = options.ports.size(PortProtocol::udp);
  PortSet tcp = options.ports;
  tcp.remove(PortProtocol::udp, {0, UINT16_MAX});
  PortSet udp = options.ports;
  udp.remove(PortProtocol::tcp, {0, UINT16_MAX});
  if (run.tcp_ports > 0) run.tcp_services = tcp.to_string(PortProtocol::tcp);
  if (run.udp_ports > 0) run.udp_services = udp.to_string(PortProtocol::udp);
  return run;
}

std::string ending_words(ScanEnd end, std::optional<int> signal) {
  switch (end) {
    case ScanEnd::complete:
      return "complete";
    case ScanEnd::deadline:
      return "incomplete: --limit-time passed";
    case ScanEnd::interrupted:
      return fmt::format("incomplete: ended by signal {}", signal.value_or(0));
    case ScanEnd::failed:
      return "incomplete: this host could not go on";
    case ScanEnd::unwanted:
      break;
  }
  return "incomplete: the results could not be written";
}

}  // namespace

Report::Report(const App& app, const Options& options)
    : app_(app),
      options_(options),
      step_records_(*this),
      explain_(
          [this](std::string_view line) {
            progress_.erase();
            app_.note(line);
          },
          [this](std::uint16_t port) { return port_words(port, host_); }, nullptr),
      progress_(app.err, print_on_stderr) {}

// A redrawn line may change often; where each is a line of its own, such as in a log, few are enough.
Duration Report::tick() const {
  return app_.err.redraws ? std::chrono::milliseconds(200) : std::chrono::seconds(5);
}

void Report::StepRecords::step(const Step& step) {
  if (begun_)
    report_.out_->line(step_record(step).str());
  else
    early_.push_back(step_record(step).str());
}

void Report::StepRecords::begin() {
  begun_ = true;
  for (const std::string& record : early_) report_.out_->line(record);
  early_.clear();
}

StepSink* Report::steps() {
  if (!app_.args.has("explain")) return nullptr;
  return options_.json ? static_cast<StepSink*>(&step_records_) : &explain_;
}

void Report::start(const ProbePlan& plan, Writer& out, const Style& style, bool resumed, bool goes_on) {
  out_ = &out;
  plan_ = &plan;
  rows_.emplace(out, style, kRowWidths);
  if (app_.args.has("xml")) xml_.emplace(xml_run(app_, options_));
  scope_ =
      fmt::format("scanning {} host{} × {} port{}  ", format_count(plan.hosts()),
                  plan.hosts() == 1 ? "" : "s", format_count(plan.ports()), plan.ports() == 1 ? "" : "s");
  if (!options_.json || goes_on) return;
  JsonObject record("start");
  record.number("schema", 1)
      .text("program", app_.command.name)
      .text("version", PIER_VERSION)
      .text("run", plan.run_id())
      .number("seed", options_.seed)
      .text("shard", fmt::format("{}/{}", options_.shard.index, options_.shard.count))
      .number("hosts", plan.hosts())
      .number("ports", plan.ports())
      .number("pairs", plan.size());
  if (options_.syn)
    record.text("probe", "syn").number("rate", *options_.limits.rate);
  else
    record.number("window", options_.limits.window);
  if (options_.limits.retries)
    record.number("retries", *options_.limits.retries);
  else
    record.null("retries");
  record.real("probe_timeout", seconds(options_.limits.timeout));
  if (resumed) record.boolean("resumed", true);
  out_->line(record.str());
  step_records_.begin();
}

void Report::show(PortResult result, const Banner* banner) {
  result.host = plan_->targets().host_of(result.address);
  const std::string_view service = service_of(result.protocol, result.port);
  if (options_.json) {
    JsonObject record = port_record(result, service, class_of(result.port));
    if (banner != nullptr) add_banner(record, *banner);
    out_->line(record.str());
  } else {
    auto cells = port_cells(result, service, class_of(result.port));
    if (banner != nullptr) cells.push_back(banner->to_string());
    rows_->row(cells);
  }
}

bool Report::drifts(const PortResult& result) const {
  return options_.expected &&
         (result.state == PortState::open) != options_.expected->contains(result.protocol, result.port);
}

std::uint64_t Report::drift_of(std::span<const PortResult> results) const {
  return static_cast<std::uint64_t>(
      std::ranges::count_if(results, [this](const PortResult& result) { return drifts(result); }));
}

void Report::compare(const PortResult& result) {
  if (!drifts(result)) return;
  ++drift_;
  const std::string_view change = result.state == PortState::open ? "unexpected" : "missing";
  PortResult named = result;
  named.host = plan_->targets().host_of(result.address);
  if (options_.json)
    out_->line(drift_record(named, change).str());
  else
    rows_->row(drift_cells(named, change));
}

bool Report::result(const PortResult& result) {
  if (result.state == PortState::error && first_error_.empty())
    first_error_ = SocketAddress(result.address, result.port).to_string() + ": " + result.reason;
  const bool shown = options_.shown.contains(result.state);
  if (xml_) {
    PortResult named = result;
    named.host = plan_->targets().host_of(result.address);
    xml_->add(named, service_of(result.protocol, result.port), shown);
  }
  if (shown && app_.args.has("banner") && result.state == PortState::open &&
      result.protocol == PortProtocol::tcp) {
    unshown_.push_back(result);
    unshown_.back().host = plan_->targets().host_of(result.address);
  } else if (shown) {
    progress_.erase();
    show(result);
  }
  compare(result);
  return out_->ok();
}

bool Report::show_with(const PortResult& result, const Banner& banner) {
  progress_.erase();
  show(result, &banner);
  return out_->ok();
}

bool Report::crowded(const CrowdedHost& host) {
  if (xml_) xml_->add(host, plan_->targets().host_of(host.address));
  if (!options_.shown.contains(host.suspect ? PortState::suspect : PortState::open)) return out_->ok();
  progress_.erase();
  if (options_.json)
    out_->line(crowded_record(host, plan_->targets().host_of(host.address)).str());
  else
    rows_->row(crowded_cells(host));
  return out_->ok();
}

void Report::note(std::string_view line) {
  progress_.erase();
  app_.note(line);
}

void Report::detail(std::string_view line) {
  if (app_.verbosity == 0) return;
  progress_.erase();
  app_.detail(line);
}

void Report::progress(const ScanStats& stats) {
  if (app_.quiet) return;
  const std::string line = scope_ + progress_line(stats);
  if (app_.err.redraws)
    progress_.draw(line, now());
  else
    app_.note(line);
}

bool Report::pair(const Pair& pair) {
  if (options_.json)
    out_->line(JsonObject("probe")
                   .text("proto", to_string(pair.protocol))
                   .text("addr", pair.address.to_string())
                   .number("port", pair.port)
                   .str());
  else
    rows_->row({pair.address.to_string(), fmt::format("{}/{}", pair.port, to_string(pair.protocol))});
  return out_->ok();
}

int Report::exit_code(ScanEnd end, const ScanStats& stats, std::optional<int> signal) const {
  if (end == ScanEnd::interrupted) return kExitSignal + signal.value_or(0);
  if (end == ScanEnd::deadline) return kExitDeadline;
  if (end == ScanEnd::failed) return kExitUsage;
  if (options_.expected) return drift_ > 0 ? kExitNo : kExitYes;
  if (stats.count(PortState::open) > 0) return kExitYes;
  return stats.done() > stats.count(PortState::closed) ? kExitUnknown : kExitNo;
}

int Report::end(ScanEnd end, const ScanStats& stats, std::span<const IpAddress> given_up,
                std::optional<int> signal) {
  const int code = exit_code(end, stats, signal);
  progress_.erase();
  if (options_.json) {
    JsonObject record("summary");
    record.boolean("complete", end == ScanEnd::complete && given_up.empty());
    if (!given_up.empty()) record.texts("given_up", addresses(given_up, given_up.size()));
    add_stats(record, stats, stats.estimated_loss(), stats.estimated_missed());
    if (options_.expected) record.number("drift", drift_);
    out_->line(record.number("exit", code).str());
  }
  note_end(end, stats, given_up, signal);
  return code;
}

int Report::end_to_be_resumed(ScanEnd end, const ScanStats& stats, std::span<const IpAddress> given_up,
                              std::optional<int> signal) {
  progress_.erase();
  note_end(end, stats, given_up, signal);
  return exit_code(end, stats, signal);
}

void Report::note_end(ScanEnd end, const ScanStats& stats, std::span<const IpAddress> given_up,
                      std::optional<int> signal) {
  std::string ending = ending_words(end, signal);
  if (!given_up.empty()) {
    ending = end == ScanEnd::complete ? "incomplete: gave up on" : ending + "; gave up on";
    for (const std::string& address : addresses(given_up, kMostNamed)) ending += " " + address;
    if (given_up.size() > kMostNamed)
      ending += fmt::format(" and {} more", format_count(given_up.size() - kMostNamed));
  }
  ending_ = end == ScanEnd::complete && given_up.empty() ? "" : ending;
  if (end == ScanEnd::unwanted) return;
  if (!first_error_.empty())
    app_.note(fmt::format("not asked, by a fault of this host, in {} cases; the first: {}",
                          format_count(stats.count(PortState::error)), first_error_));
  if (stats.suspects > 0 && !options_.shown.contains(PortState::suspect))
    app_.note(
        fmt::format("{} host{} on ports where nobody should listen: no port of {} is called open "
                    "(--state suspect shows them)",
                    format_count(stats.suspects), stats.suspects == 1 ? " answers" : "s answer",
                    stats.suspects == 1 ? "it" : "theirs"));
  app_.note(summary_line(stats, stats.estimated_missed(), ending));
}

void Report::write_xml(Writer& out, const ScanStats& stats) const {
  xml_->write(out, stats, std::time(nullptr), ending_);
}

int Report::end_dry_run(std::uint64_t pairs, std::optional<int> signal) {
  if (options_.json)
    out_->line(JsonObject("summary").boolean("complete", !signal).number("pairs", pairs).str());
  return signal ? kExitSignal + *signal : kExitYes;
}

}  // namespace pier::scan
