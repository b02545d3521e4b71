// The operands of pier-connect as endpoints.
#pragma once

#include <vector>

#include "cli/flags.h"
#include "net/endpoint.h"

namespace pier::client {

// One, but with --check, --wait or --until-closed several: there two words whose second is a bare port, or a
// set of ports, are HOST PORT, and a set (`db:5432,6000-6010`, `db:T:53,U:53`) stands for an endpoint of each
// of its ports, in ascending order.
[[nodiscard]] Result<std::vector<Endpoint>> endpoints_of(const Parsed& args);

}  // namespace pier::client
