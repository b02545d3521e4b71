// A scan as nmap writes it in XML (nmap.dtd, version 1.05), as far as a port scan fills it: for the programs
// that read nmap's.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "out/writer.h"
#include "scan/result.h"

namespace pier {

class NmapXml {
 public:
  struct Run {
    std::string args;          // the command line
    std::int64_t started = 0;  // seconds since 1970
    std::uint64_t tcp_ports = 0;
    std::string tcp_services;  // "22,80-90"
    std::uint64_t udp_ports = 0;
    std::string udp_services;
  };
  explicit NmapXml(Run run) : run_(std::move(run)) {}

  // One port; `result.host` is its name. `listed`: as a port of its own, or else in the count of its state.
  void add(const PortResult& result, std::string_view service, bool listed);
  // Many of them at once, which are open.
  void add(const CrowdedHost& host, const std::string& name);

  // The whole document. `ended`: seconds since 1970. `failure`: why it is incomplete, or empty.
  void write(Writer& out, const ScanStats& stats, std::int64_t ended, std::string_view failure) const;

 private:
  struct Host {
    std::string name;
    bool up = false;
    std::string why;  // it is up
    std::vector<std::pair<PortResult, std::string>> ports;
    std::map<std::string, std::map<std::string, std::uint64_t>> others;  // state, reason, count
  };
  Host& host_of(const IpAddress& address, const std::string& name);
  static void write_host(Writer& out, const IpAddress& address, const Host& host);

  Run run_;
  std::map<IpAddress, Host> hosts_;
};

// Text with the characters that XML marks up with, and those that it cannot have, replaced.
[[nodiscard]] std::string xml_escaped(std::string_view text);

}  // namespace pier
