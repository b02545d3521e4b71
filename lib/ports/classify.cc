#include "ports/classify.h"

namespace pier {

std::vector<std::string_view> PortFacts::flags() const {
  std::vector<std::string_view> names;
  if (privileged) names.emplace_back("privileged");
  if (ephemeral_here) names.emplace_back("ephemeral-here");
  if (reserved_here) names.emplace_back("reserved-here");
  if (!unauthorized_use.empty()) names.emplace_back("unauthorized-use");
  return names;
}

std::vector<std::string_view> PortFacts::alias_names() const {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < aliases.size(); ++i) names.push_back(aliases[i]);
  return names;
}

bool PortFacts::same_but_for_ports(const PortFacts& other) const {
  return protocol == other.protocol && port_class == other.port_class && service == other.service &&
         description == other.description && unauthorized_use == other.unauthorized_use &&
         privileged == other.privileged && ephemeral_here == other.ephemeral_here &&
         reserved_here == other.reserved_here && alias_names() == other.alias_names();
}

PortFacts classify(PortProtocol protocol, std::uint16_t port, const HostPorts& host) {
  PortFacts facts{.ports = {port, port},
                  .protocol = protocol,
                  .port_class = port_class(port),
                  .service = {},
                  .aliases = {},
                  .description = {},
                  .notes = {},
                  .unauthorized_use = {},
                  .privileged = host.is_privileged(port),
                  .ephemeral_here = host.is_ephemeral(port),
                  .reserved_here = host.is_reserved(port)};
  if (const auto entry = find_port(protocol, port)) {
    facts.service = entry->service;
    facts.aliases = entry->aliases;
    facts.description = entry->description;
    facts.notes = entry->notes;
    facts.unauthorized_use = entry->unauthorized_use;
  }
  return facts;
}

void PortRuns::add(const PortFacts& facts, bool alone) {
  Run* const run = open_run(facts.protocol);
  if (run != nullptr) {
    if (!alone && run->facts.ports.last + 1 == facts.ports.first && run->facts.same_but_for_ports(facts)) {
      run->facts.ports.last = facts.ports.last;
      return;
    }
    run->open = false;
  }
  runs_.push_back({facts, !alone});
  latest_[static_cast<std::size_t>(facts.protocol)] = emitted_ + runs_.size();
  emit_closed();
}

void PortRuns::finish() {
  for (Run& run : runs_) run.open = false;
  emit_closed();
}

PortRuns::Run* PortRuns::open_run(PortProtocol protocol) {
  const std::size_t latest = latest_[static_cast<std::size_t>(protocol)];
  if (latest <= emitted_) return nullptr;
  Run& run = runs_[latest - 1 - emitted_];
  return run.open ? &run : nullptr;
}

void PortRuns::emit_closed() {
  while (!runs_.empty() && !runs_.front().open) {
    emit_(runs_.front().facts);
    runs_.pop_front();
    ++emitted_;
  }
}

}  // namespace pier
