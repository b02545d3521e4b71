#include "out/nmap_xml.h"

#include <fmt/core.h>

#include <algorithm>
#include <ctime>
#include <tuple>

#include "base/number.h"
#include "base/utf8.h"

namespace pier {
namespace {

// nmap's words for what it calls differently; it knows no error and no suspect.
std::string_view state_word(PortState state) {
  return state == PortState::error || state == PortState::suspect ? "unknown" : to_string(state);
}

std::string reason_word(const std::string& reason) {
  if (reason == "refused") return "conn-refused";
  if (reason.starts_with("no answer")) return "no-response";
  if (reason.starts_with("reply")) return "udp-response";
  if (reason.find("(port unreachable)") != std::string::npos) return "port-unreach";
  return reason;
}

std::string time_text(std::int64_t when) {
  const auto seconds = static_cast<std::time_t>(when);
  std::tm parts{};
  char text[64];
  if (::gmtime_r(&seconds, &parts) == nullptr ||
      std::strftime(text, sizeof text, "%a %b %e %H:%M:%S %Y", &parts) == 0)
    return {};
  return text;
}

std::string attribute(std::string_view name, std::string_view value) {
  return fmt::format(" {}=\"{}\"", name, xml_escaped(value));
}

std::string scaninfo(std::string_view type, std::string_view protocol, std::uint64_t count,
                     std::string_view services) {
  if (count == 0) return {};
  return fmt::format("<scaninfo type=\"{}\" protocol=\"{}\" numservices=\"{}\"{}/>\n", type, protocol, count,
                     attribute("services", services));
}

}  // namespace

std::string xml_escaped(std::string_view text) {
  std::string escaped;
  for (const char c : printable(text)) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

NmapXml::Host& NmapXml::host_of(const IpAddress& address, const std::string& name) {
  Host& host = hosts_[address];
  host.name = name;
  return host;
}

void NmapXml::add(const PortResult& result, std::string_view service, bool listed) {
  Host& host = host_of(result.address, result.host);
  const std::string reason = reason_word(result.reason);
  if (!host.up && (result.state == PortState::open || result.state == PortState::closed ||
                   result.state == PortState::suspect)) {
    host.up = true;
    host.why = reason;
  }
  if (listed)
    host.ports.emplace_back(result, service);
  else
    ++host.others[std::string(state_word(result.state))][reason];
}

void NmapXml::add(const CrowdedHost& crowd, const std::string& name) {
  Host& host = host_of(crowd.address, name);
  host.up = true;
  if (host.why.empty()) host.why = "syn-ack";
  const PortState state = crowd.suspect ? PortState::suspect : PortState::open;
  host.others[std::string(state_word(state))]["syn-ack"] += crowd.open;
}

void NmapXml::write_host(Writer& out, const IpAddress& address, const Host& host) {
  const bool v6 = address.family() == Family::ipv6;
  out.put("<host><status");
  out.put(attribute("state", host.up ? "up" : "unknown") +
          attribute("reason", host.up ? host.why : "no-response") + " reason_ttl=\"0\"/>\n");
  out.put("<address" + attribute("addr", address.to_string()) + attribute("addrtype", v6 ? "ipv6" : "ipv4") +
          "/>\n");
  out.put("<hostnames>\n");
  if (!host.name.empty() && host.name != address.to_string())
    out.put("<hostname" + attribute("name", host.name) + " type=\"user\"/>\n");
  out.put("</hostnames>\n<ports>");
  for (const auto& [state, reasons] : host.others) {
    std::uint64_t count = 0;
    for (const auto& [reason, n] : reasons) count += n;
    out.put(fmt::format("<extraports{} count=\"{}\">\n", attribute("state", state), count));
    for (const auto& [reason, n] : reasons)
      out.put(fmt::format("<extrareasons{} count=\"{}\"/>\n", attribute("reason", reason), n));
    out.put("</extraports>\n");
  }
  auto ports = host.ports;
  std::ranges::sort(ports, {}, [](const auto& p) { return std::tuple(p.first.protocol, p.first.port); });
  for (const auto& [result, service] : ports) {
    out.put(
        fmt::format("<port protocol=\"{}\" portid=\"{}\"><state", to_string(result.protocol), result.port));
    out.put(attribute("state", state_word(result.state)) + attribute("reason", reason_word(result.reason)) +
            " reason_ttl=\"0\"/>");
    if (!service.empty()) out.put("<service" + attribute("name", service) + " method=\"table\" conf=\"3\"/>");
    out.put("</port>\n");
  }
  out.put("</ports>\n</host>\n");
}

void NmapXml::write(Writer& out, const ScanStats& stats, std::int64_t ended, std::string_view failure) const {
  out.put("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE nmaprun>\n");
  out.put("<!-- Made by pier-scan in the format of nmap, which the scanner attribute has to name. -->\n");
  out.put("<nmaprun scanner=\"nmap\"" + attribute("args", run_.args) +
          attribute("start", std::to_string(run_.started)) + attribute("startstr", time_text(run_.started)) +
          " version=\"7.0\" xmloutputversion=\"1.05\">\n");
  out.put(scaninfo("connect", "tcp", run_.tcp_ports, run_.tcp_services));
  out.put(scaninfo("udp", "udp", run_.udp_ports, run_.udp_services));
  out.put("<verbose level=\"0\"/>\n<debugging level=\"0\"/>\n");
  for (const auto& [address, host] : hosts_) write_host(out, address, host);
  const std::string summary =
      fmt::format("{} hosts ({} up), {} ports open in {:.2f} seconds", stats.hosts, stats.hosts_up,
                  stats.count(PortState::open), seconds(stats.elapsed));
  out.put("<runstats><finished" + attribute("time", std::to_string(ended)) +
          attribute("timestr", time_text(ended)) +
          attribute("elapsed", fmt::format("{:.2f}", seconds(stats.elapsed))) +
          attribute("summary", summary) + attribute("exit", failure.empty() ? "success" : "error") +
          (failure.empty() ? std::string() : attribute("errormsg", failure)) + "/>");
  const std::uint64_t down = stats.hosts - std::min(stats.hosts, stats.hosts_up);
  out.put(fmt::format("<hosts up=\"{}\" down=\"{}\" total=\"{}\"/>\n</runstats>\n</nmaprun>\n",
                      stats.hosts_up, down, stats.hosts));
}

}  // namespace pier
