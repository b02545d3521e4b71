// --check's answer as a row of text and as a record.
#pragma once

#include <string>
#include <vector>

#include "out/ndjson.h"
#include "scan/check_result.h"

namespace pier {

// tcp  HOST  ADDR  PORT  SERVICE  open|closed|filtered  REASON  RTT; HOST as typed. `service` is the name
// assigned to the port, or empty.
[[nodiscard]] std::vector<std::string> check_cells(const CheckResult& result, std::string_view service);
// {"type":"check",…} with the same facts.
[[nodiscard]] JsonObject check_record(const CheckResult& result, std::string_view service);

}  // namespace pier
