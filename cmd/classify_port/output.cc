#include "cmd/classify_port/output.h"

#include <unistd.h>

#include <string>
#include <string_view>

#include "out/ndjson.h"

namespace pier::classify_port {
namespace {

std::string joined(const std::vector<std::string_view>& texts) {
  std::string all;
  for (const std::string_view text : texts) {
    if (!all.empty()) all += ',';
    all += text;
  }
  return all;
}

void text_or_null(JsonObject& record, std::string_view name, std::string_view text) {
  if (text.empty())
    record.null(name);
  else
    record.text(name, text);
}

std::string registry_record(const RegistryFacts& facts) {
  JsonObject assigned;
  for (const PortProtocol protocol : kPortProtocols)
    assigned.number(to_string(protocol), facts.assigned[static_cast<std::size_t>(protocol)]);
  return JsonObject("registry")
      .text("source", facts.source)
      .text("newest_entry", facts.newest_entry)
      .number("rows", facts.rows)
      .number("names", facts.names)
      .number("names_without_port", facts.names_without_port)
      .raw("assigned", assigned.str())
      .number("unauthorized_use", facts.unauthorized)
      .str();
}

}  // namespace

// The least widths are those of most ports, so that columns rarely move on a terminal.
Output::Output(const App& app, OutputRules rules)
    : app_(app),
      rules_(rules),
      writer_(STDOUT_FILENO, rules.json || app.out.terminal),
      rows_(writer_, app.out, {rules.compress ? 11U : 5U, 5, 10, 12, 0, 10}) {}

void Output::start() {
  if (!rules_.json) return;
  writer_.line(JsonObject("start")
                   .number("schema", 1)
                   .text("program", app_.command.name)
                   .text("version", PIER_VERSION)
                   .text("registry", registry_facts().newest_entry)
                   .str());
}

void Output::port(const PortFacts& facts) {
  const Uses uses = rules_.common_use ? common_uses_of(facts.protocol, facts.ports.first) : Uses();
  if (rules_.json)
    record(facts, uses);
  else
    row(facts, uses);
  if (app_.verbosity > 0) tell_more(facts, uses);
}

void Output::summary(bool complete, const Tally& tally) {
  if (!rules_.json) return;
  writer_.line(JsonObject("summary")
                   .boolean("complete", complete)
                   .number("inputs", tally.inputs)
                   .number("bad", tally.bad)
                   .number("rows", tally.rows)
                   .number("assigned", tally.assigned)
                   .str());
}

void Output::registry() {
  const RegistryFacts facts = registry_facts();
  if (rules_.json) {
    start();
    writer_.line(registry_record(facts));
    writer_.line(JsonObject("summary").boolean("complete", true).str());
    return;
  }
  TextRows rows(writer_, app_.out, {18});
  rows.row({"source", std::string(facts.source)});
  rows.row({"newest-entry", std::string(facts.newest_entry)});
  rows.row({"rows", std::to_string(facts.rows)});
  rows.row({"names", std::to_string(facts.names)});
  rows.row({"names-without-port", std::to_string(facts.names_without_port)});
  for (const PortProtocol protocol : kPortProtocols)
    rows.row({"assigned-" + std::string(to_string(protocol)),
              std::to_string(facts.assigned[static_cast<std::size_t>(protocol)])});
  rows.row({"unauthorized-use", std::to_string(facts.unauthorized)});
}

void Output::row(const PortFacts& facts, const Uses& uses) {
  std::vector<std::string> cells{to_string(facts.ports),
                                 std::string(to_string(facts.protocol)),
                                 std::string(to_string(facts.port_class)),
                                 std::string(facts.service),
                                 joined(facts.alias_names()),
                                 joined(facts.flags()),
                                 std::string(facts.description)};
  if (rules_.common_use) {
    std::string whats;
    std::string sources;
    for (const CommonUse* use : uses) {
      const std::string_view between = whats.empty() ? "" : "; ";
      whats.append(between).append(use->what);
      sources.append(between).append(use->source).append(use->confirmed ? "" : " (unconfirmed)");
    }
    cells.push_back(whats);
    cells.push_back(sources);
  }
  rows_.row(cells);
}

void Output::record(const PortFacts& facts, const Uses& uses) {
  JsonObject record("port");
  record.number("port", facts.ports.first);
  if (rules_.compress) record.number("last_port", facts.ports.last);
  record.text("proto", to_string(facts.protocol)).text("class", to_string(facts.port_class));
  text_or_null(record, "service", facts.service);
  record.texts("aliases", facts.alias_names()).texts("flags", facts.flags());
  text_or_null(record, "description", facts.description);
  if (!facts.unauthorized_use.empty()) record.text("unauthorized_use", facts.unauthorized_use);
  if (rules_.common_use) {
    std::string list;
    for (const CommonUse* use : uses)
      list += (list.empty() ? "" : ",") + JsonObject()
                                              .text("what", use->what)
                                              .text("source", use->source)
                                              .boolean("confirmed", use->confirmed)
                                              .str();
    record.raw("common_use", "[" + list + "]");
  }
  writer_.line(record.str());
}

void Output::tell_more(const PortFacts& facts, const Uses& uses) const {
  const std::string port = to_string(facts.ports) + "/" + std::string(to_string(facts.protocol)) + ": ";
  if (!facts.unauthorized_use.empty())
    app_.detail(port + "unauthorized use: " + std::string(facts.unauthorized_use));
  if (!facts.notes.empty()) app_.detail(port + "note: " + std::string(facts.notes));
  for (const CommonUse* use : uses)
    app_.detail(port + "often " + use->what + (use->confirmed ? ", according to " : ", not confirmed; see ") +
                use->source);
}

}  // namespace pier::classify_port
