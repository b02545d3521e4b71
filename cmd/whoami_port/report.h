// How pier-whoami-port says its answers: rows of text, or records.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/app.h"
#include "net/address.h"
#include "net/endpoint.h"
#include "net/step.h"
#include "out/explain.h"
#include "out/ndjson.h"
#include "out/writer.h"
#include "ports/ephemeral.h"

namespace pier::whoami {

// Results on stdout. With --json the first record is "start" and the last, by end(), "summary".
class Report {
 public:
  explicit Report(const App& app);

  [[nodiscard]] bool json() const { return json_; }
  [[nodiscard]] const HostPorts& host() const { return host_; }
  // Who is told the steps of --explain; nullptr without it.
  [[nodiscard]] StepSink* steps();

  void record(const JsonObject& record) { out_.line(record.str()); }
  // All rows of the answer at once: on a terminal the columns fit the widest cell of each.
  void table(const std::vector<std::vector<std::string>>& rows);
  // Whether stdout still takes what is written.
  [[nodiscard]] bool ok() const { return out_.ok(); }
  // What is written so far goes out now.
  void flush() { out_.flush(); }

  // The summary, with `facts` ("sockets": 3) added, and the exit code.
  int end(int code, bool complete, const std::vector<std::pair<std::string_view, std::uint64_t>>& facts = {});
  // The error on stderr, the summary, and the exit code.
  int fail(const Error& error);

 private:
  // The steps as records among the others.
  class StepRecords final : public StepSink {
   public:
    explicit StepRecords(Report& report) : report_(report) {}
    void step(const Step& step) override;

   private:
    Report& report_;
  };

  const App& app_;
  bool json_;
  Writer out_;
  HostPorts host_ = read_host_ports();
  StepRecords step_records_;
  Explain explain_;  // the steps as lines on stderr
};

// The two ends as a port record or a row tells them. An end or a port that is not known is null, or "-".
struct Ends {
  std::optional<Transport> transport;
  std::optional<IpAddress> local;
  std::optional<std::uint16_t> local_port;
  std::optional<IpAddress> remote;
  std::optional<std::uint16_t> remote_port;
  std::string_view role;         // ours: "client", or empty
  std::string_view remote_role;  // "server", or empty
  std::string interface;
  std::optional<IpAddress> gateway = {};
  std::optional<std::uint32_t> mtu = {};
};

// {"type":"port",…}
[[nodiscard]] JsonObject port_record(const Ends& ends);
// PROTO  ADDR  PORT  CLASS  ROLE  ADDR  PORT  CLASS  ROLE  INTERFACE: ours, then the peer's.
[[nodiscard]] std::vector<std::string> port_cells(const Ends& ends);

// "registered": the class of a port.
[[nodiscard]] std::string class_of(std::uint16_t port);
void text_or_null(JsonObject& record, std::string_view name, std::string_view value);
// PREFIX_addr, PREFIX_port and PREFIX_class.
void put_end(JsonObject& record, const std::string& prefix, const std::optional<IpAddress>& ip,
             const std::optional<std::uint16_t>& port);

}  // namespace pier::whoami
