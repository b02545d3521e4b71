// A handful of services, for tests of what only asks for names.
#pragma once

#include <string>
#include <string_view>

#include "base/suggest.h"
#include "net/endpoint.h"

namespace pier {

inline ServiceNames test_services() {
  struct Row {
    std::string_view name;
    std::uint16_t port;
    bool tcp, udp, tls;
  };
  static constexpr Row kRows[] = {{"http", 80, true, true, false},
                                  {"https", 443, true, true, true},
                                  {"redis", 6379, true, false, false},
                                  {"olhost", 2165, true, true, false},
                                  {"syslog", 514, false, true, false}};
  return {.port_of = [](std::string_view name, std::string_view proto) -> std::optional<std::uint16_t> {
            for (const Row& row : kRows)
              if (row.name == name && (proto == "udp" ? row.udp : row.tcp)) return row.port;
            return std::nullopt;
          },
          .nearest = [](std::string_view name) -> std::string {
            static constexpr std::string_view kNames[] = {"http", "https", "redis", "olhost", "syslog"};
            return std::string(nearest(name, kNames));
          },
          .is_tls =
              [](std::string_view name) {
                for (const Row& row : kRows)
                  if (row.name == name) return row.tls;
                return false;
              }};
}

}  // namespace pier
