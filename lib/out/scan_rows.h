// A scan's results as rows, records and the closing line. Services and classes are the caller's knowledge.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "out/ndjson.h"
#include "scan/banner.h"
#include "scan/result.h"

namespace pier {

// ADDR  PORT/PROTO  STATE  SERVICE  CLASS  REASON
[[nodiscard]] std::vector<std::string> port_cells(const PortResult& result, std::string_view service,
                                                  std::string_view port_class);

// {"type":"port","proto","host","addr","port","state","reason","service","class","rtt_us","tries"}; an
// unassigned port has a null service, and what was not answered a null rtt_us.
[[nodiscard]] JsonObject port_record(const PortResult& result, std::string_view service,
                                     std::string_view port_class);

// Adds what the port said of itself: "app" (the protocol), "product", "banner" (its first line), "tls",
// "tls_alpn", "tls_subject", "tls_names"; null where there is none.
void add_banner(JsonObject& record, const Banner& banner);

// What --expect found different: "unexpected" for a port that is open and should not be, "missing" for one
// that should be open and is not. DRIFT is the first cell: drift  ADDR  PORT/PROTO  CHANGE  STATE
[[nodiscard]] std::vector<std::string> drift_cells(const PortResult& result, std::string_view change);
[[nodiscard]] JsonObject drift_record(const PortResult& result, std::string_view change);

// What most cells need, so that the first rows of a terminal stand under each other.
inline const std::vector<std::size_t> kRowWidths{15, 9, 8, 15, 10};

// Adds the scan's numbers to the summary record; the estimates are nullopt where nothing tells.
void add_stats(JsonObject& summary, const ScanStats& stats, std::optional<double> loss,
               std::optional<double> missed);

// "30,480 probes, 254 hosts (61 up), 43 open, 112 retransmitted, 2 answered late: estimated missed 0.01% of
// open ports; complete; 4.80 s". `ending` is "complete" or why it is not.
[[nodiscard]] std::string summary_line(const ScanStats& stats, std::optional<double> missed,
                                       std::string_view ending);

// "▕██████    ▏ 62%  18,900 probes  4,120/s  window 512  rtt 0.3 ms  41 open  est. missed 0.0%  ETA 3.0 s"
[[nodiscard]] std::string progress_line(const ScanStats& stats);

// A host with more open ports than --max-open: ADDR  -/PROTO  STATE  -  -  REASON, and as a record
// {"type":"host","host","addr","proto","state","open","reason"}.
[[nodiscard]] std::vector<std::string> crowded_cells(const CrowdedHost& host);
[[nodiscard]] JsonObject crowded_record(const CrowdedHost& host, std::string_view name);

}  // namespace pier
