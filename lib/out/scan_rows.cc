#include "out/scan_rows.h"

#include <fmt/core.h>

#include "base/number.h"
#include "out/progress.h"

namespace pier {
namespace {

constexpr unsigned kBarCells = 10;

std::string port_word(const PortResult& result) {
  return fmt::format("{}/{}", result.port, to_string(result.protocol));
}

// Enough digits to see a small share, none for none.
std::string percent(std::optional<double> share) {
  if (!share) return "an unknown share";
  if (*share == 0) return "0.0%";
  return *share < 0.0001 ? "under 0.01%" : fmt::format("{:.2f}%", *share * 100);
}

void add_share(JsonObject& record, std::string_view name, std::optional<double> share) {
  if (share)
    record.real(name, *share);
  else
    record.null(name);
}

std::string crowd_reason(const CrowdedHost& host) {
  return fmt::format("{} ports are open{}", format_count(host.open),
                     host.suspect ? ", those where nobody should listen too" : "");
}

// "1 host", "254 hosts"
std::string counted(std::uint64_t n, std::string_view what) {
  return fmt::format("{} {}{}", format_count(n), what, n == 1 ? "" : "s");
}

// Beside the share that is done, probes still to come are hard to tell: retries depend on the answers.
std::string time_left(const ScanStats& stats) {
  const auto done = static_cast<double>(stats.done());
  if (done == 0) return "?";
  const double left = seconds(stats.elapsed) * (static_cast<double>(stats.pairs) - done) / done;
  constexpr double kMost = 100.0 * 365 * 86400;
  if (left > kMost) return "over 100 years";
  return format_duration(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(left)));
}

}  // namespace

std::vector<std::string> port_cells(const PortResult& result, std::string_view service,
                                    std::string_view port_class) {
  return {result.address.to_string(), port_word(result),       std::string(to_string(result.state)),
          std::string(service),       std::string(port_class), result.reason};
}

JsonObject port_record(const PortResult& result, std::string_view service, std::string_view port_class) {
  JsonObject record("port");
  record.text("proto", to_string(result.protocol))
      .text("host", result.host)
      .text("addr", result.address.to_string())
      .number("port", result.port)
      .text("state", to_string(result.state))
      .text("reason", result.reason);
  if (service.empty())
    record.null("service");
  else
    record.text("service", service);
  record.text("class", port_class);
  if (result.rtt)
    record.number("rtt_us", result.rtt->count() / 1000);
  else
    record.null("rtt_us");
  record.number("tries", result.tries);
  return record;
}

void add_banner(JsonObject& record, const Banner& banner) {
  const auto add = [&](std::string_view name, std::string_view value) {
    value.empty() ? record.null(name) : record.text(name, value);
  };
  add("app", banner.protocol);
  add("product", banner.product);
  add("banner", banner.text);
  if (!banner.tls) {
    record.null("tls");
    return;
  }
  record.text("tls", banner.tls->version);
  add("tls_alpn", banner.tls->alpn);
  add("tls_subject", banner.tls->subject);
  record.texts("tls_names", banner.tls->names);
}

std::vector<std::string> drift_cells(const PortResult& result, std::string_view change) {
  return {"drift", result.address.to_string(), port_word(result), std::string(change),
          std::string(to_string(result.state))};
}

JsonObject drift_record(const PortResult& result, std::string_view change) {
  JsonObject record("drift");
  record.text("change", change)
      .text("proto", to_string(result.protocol))
      .text("host", result.host)
      .text("addr", result.address.to_string())
      .number("port", result.port)
      .text("state", to_string(result.state));
  return record;
}

void add_stats(JsonObject& summary, const ScanStats& stats, std::optional<double> loss,
               std::optional<double> missed) {
  summary.number("pairs", stats.pairs)
      .number("probes", stats.probes)
      .number("answers", stats.answers)
      .number("retries", stats.retries)
      .number("late_answers", stats.late_answers);
  add_share(summary, "estimated_loss", loss);
  add_share(summary, "estimated_missed", missed);
  summary.number("checks", stats.checks)
      .number("checks_lost", stats.checks_lost)
      .number("canaries", stats.canaries)
      .number("hosts", stats.hosts)
      .number("hosts_up", stats.hosts_up)
      .number("hosts_suspect", stats.suspects);
  for (const PortState state : kPortStates) summary.number(to_string(state), stats.count(state));
  summary.real("elapsed", seconds(stats.elapsed));
}

std::string summary_line(const ScanStats& stats, std::optional<double> missed, std::string_view ending) {
  std::string line =
      fmt::format("{}, {} ({} up), {} open", counted(stats.probes, "probe"), counted(stats.hosts, "host"),
                  format_count(stats.hosts_up), format_count(stats.count(PortState::open)));
  for (const PortState state :
       {PortState::filtered, PortState::open_filtered, PortState::suspect, PortState::error})
    if (stats.count(state) > 0)
      line += fmt::format(", {} {}", format_count(stats.count(state)), to_string(state));
  line += fmt::format(", {} retransmitted", format_count(stats.retries));
  if (stats.late_answers > 0) line += fmt::format(", {} answered late", format_count(stats.late_answers));
  if (stats.answers > 0) line += fmt::format(": estimated missed {} of open ports", percent(missed));
  return line + fmt::format("; {}; {}", ending, format_duration(stats.elapsed));
}

std::string progress_line(const ScanStats& stats) {
  const double share =
      stats.pairs == 0 ? 1 : static_cast<double>(stats.done()) / static_cast<double>(stats.pairs);
  const double elapsed = seconds(stats.elapsed);
  const double rate = elapsed > 0 ? static_cast<double>(stats.probes) / elapsed : 0;
  const std::string window = stats.window > 0 ? fmt::format("window {}  ", format_count(stats.window)) : "";
  return fmt::format("{} {:.0f}%  {} probes  {}/s  {}rtt {}  {} open  est. missed {}  ETA {}",
                     progress_bar(share, kBarCells), share * 100, format_count(stats.probes),
                     format_count(static_cast<std::uint64_t>(rate)), window,
                     stats.rtt > Duration::zero() ? format_duration(stats.rtt) : "?",
                     format_count(stats.count(PortState::open)), percent(stats.estimated_missed()),
                     time_left(stats));
}

std::vector<std::string> crowded_cells(const CrowdedHost& host) {
  return {host.address.to_string(),
          fmt::format("-/{}", to_string(host.protocol)),
          std::string(to_string(host.suspect ? PortState::suspect : PortState::open)),
          "",
          "",
          crowd_reason(host)};
}

JsonObject crowded_record(const CrowdedHost& host, std::string_view name) {
  JsonObject record("host");
  record.text("host", name)
      .text("addr", host.address.to_string())
      .text("proto", to_string(host.protocol))
      .text("state", to_string(host.suspect ? PortState::suspect : PortState::open))
      .number("open", host.open)
      .text("reason", crowd_reason(host));
  return record;
}

}  // namespace pier
