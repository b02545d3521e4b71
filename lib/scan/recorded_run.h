// A scan read back from the records that it wrote (pier-scan --json).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "net/address.h"
#include "ports/protocol.h"
#include "scan/order.h"
#include "scan/result.h"

namespace pier {

struct RecordedPort {
  IpAddress address;
  std::uint16_t port = 0;
  PortProtocol protocol = PortProtocol::tcp;
  std::string state;
  std::string service;  // empty for none
  std::string port_class;
  std::string reason;
  std::string line;  // the record itself
};

struct RecordedRun {
  std::string run_id;  // ProbePlan::run_id(); empty where the record has none
  std::uint64_t seed = 0;
  Shard shard;
  std::uint64_t hosts = 0;
  std::uint64_t ports = 0;
  std::uint64_t pairs = 0;
  std::vector<RecordedPort> found;
  std::vector<std::string> others;  // records about hosts, as they are
  // Of its end; nullopt when that is missing, as after a kill.
  struct Summary {
    bool complete = false;
    ScanStats stats;  // as far as records tell
    std::optional<double> loss;
    std::optional<double> missed;
  };
  std::optional<Summary> summary;
};

// `text`: the whole of a file, which errors name by `where` and the number of the line, as in
// "scan.ndjson:3". Further fields and types of record are passed over. A last line without its end, as a kill
// leaves it, is no error.
[[nodiscard]] Result<RecordedRun> parse_recorded_run(std::string_view text, std::string_view where);

// The same of a file. ErrorKind::local when it cannot be read.
[[nodiscard]] Result<RecordedRun> read_recorded_run(const std::string& path);

}  // namespace pier
