// The time of day, for records of what went over the network.
#pragma once

#include <string>

namespace pier {

// "2026-11-21T08:07:19.123456Z": RFC 3339, in UTC.
[[nodiscard]] std::string utc_now_text();

}  // namespace pier
