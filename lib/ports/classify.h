// Everything that is known of a port: its class, its service, and what this host does with it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string_view>
#include <vector>

#include "ports/ephemeral.h"
#include "ports/port_class.h"
#include "ports/protocol.h"
#include "ports/registry.h"

namespace pier {

struct PortFacts {
  PortRange ports;  // one port, or a run of ports that agree (same_but_for_ports)
  PortProtocol protocol = PortProtocol::tcp;
  PortClass port_class = PortClass::well_known;
  std::string_view service;  // empty when nothing is assigned
  AliasNames aliases;
  std::string_view description;
  std::string_view notes;
  std::string_view unauthorized_use;
  bool privileged = false;      // binding it needs CAP_NET_BIND_SERVICE on this host
  bool ephemeral_here = false;  // this host's kernel hands it out
  bool reserved_here = false;   // this host's kernel keeps it back

  // "privileged", "ephemeral-here", "reserved-here", "unauthorized-use": those that hold, in this order.
  [[nodiscard]] std::vector<std::string_view> flags() const;
  [[nodiscard]] std::vector<std::string_view> alias_names() const;
  // Whether everything is the same but the ports and the notes, which are about single assignments.
  [[nodiscard]] bool same_but_for_ports(const PortFacts& other) const;
};

[[nodiscard]] PortFacts classify(PortProtocol protocol, std::uint16_t port, const HostPorts& host);

// Joins facts of neighbouring ports into runs. Facts of several transports may come in turns.
class PortRuns {
 public:
  using Emit = std::function<void(const PortFacts&)>;

  // `emit` gets each run once it cannot grow any more, in the order of their first facts.
  explicit PortRuns(Emit emit) : emit_(std::move(emit)) {}
  // `alone` keeps these facts from joining any other.
  void add(const PortFacts& facts, bool alone = false);
  // Emits what is left.
  void finish();

 private:
  struct Run {
    PortFacts facts;
    bool open;  // may still grow
  };
  Run* open_run(PortProtocol protocol);
  void emit_closed();

  Emit emit_;
  std::deque<Run> runs_;     // in order; the first is open, or the deque is empty
  std::size_t emitted_ = 0;  // runs ever taken off the front
  std::array<std::size_t, kPortProtocols.size()>
      latest_{};  // of each transport: 1 + the number of its last run
};

}  // namespace pier
