#include <fmt/core.h>

#include <map>
#include <tuple>

#include "cmd/scan/files.h"
#include "cmd/scan/output.h"
#include "out/ndjson.h"
#include "out/text.h"
#include "scan/recorded_run.h"

namespace pier::scan {
namespace {

using Key = std::tuple<IpAddress, PortProtocol, std::uint16_t>;
using States = std::map<Key, std::string>;

States states_of(const RecordedRun& run) {
  States states;
  for (const RecordedPort& port : run.found) states[{port.address, port.protocol, port.port}] = port.state;
  return states;
}

struct Counts {
  std::uint64_t appeared = 0;
  std::uint64_t gone = 0;
  std::uint64_t changed = 0;
};

// "appeared", "gone" or "changed"; `was` and `is` are empty where the port is not recorded.
std::string_view change_of(std::string_view was, std::string_view is, Counts& counts) {
  if (was.empty()) return ++counts.appeared, "appeared";
  if (is.empty()) return ++counts.gone, "gone";
  return ++counts.changed, "changed";
}

void add_state(JsonObject& record, std::string_view name, std::string_view state) {
  if (state.empty())
    record.null(name);
  else
    record.text(name, state);
}

void notes(const App& app, const RecordedRun& old_run, const RecordedRun& new_run) {
  if (old_run.pairs != new_run.pairs || old_run.hosts != new_run.hosts || old_run.ports != new_run.ports)
    app.note(
        "the two scans did not ask the same: a port may be in one only because the other did not ask it");
  for (const auto& [run, operand] : {std::pair{&old_run, 0U}, std::pair{&new_run, 1U}})
    if (!run->summary || !run->summary->complete)
      app.note(app.args.operands[operand] + " is of a scan that did not come to its end");
}

}  // namespace

int diff(const App& app) {
  if (app.args.operands.size() != 2)
    return app.fail(
        fail(ErrorKind::usage, "--diff", "", "takes two files: that of an older scan and of a newer one")
            .error());
  const auto old_run = read_recorded_run(app.args.operands[0]);
  if (!old_run) return app.fail(old_run.error());
  const auto new_run = read_recorded_run(app.args.operands[1]);
  if (!new_run) return app.fail(new_run.error());
  auto output = Output::open(app, app.args.text("output"), false);
  if (!output) return app.fail(output.error());
  Writer& out = (*output)->writer();
  const bool json = app.args.has("json");
  if (json)
    out.line(JsonObject("start")
                 .number("schema", 1)
                 .text("program", app.command.name)
                 .text("version", PIER_VERSION)
                 .str());

  std::map<Key, std::pair<std::string, std::string>> both;
  for (auto& [key, state] : states_of(*old_run)) both[key].first = state;
  for (auto& [key, state] : states_of(*new_run)) both[key].second = state;
  Counts counts;
  TextRows rows(out, (*output)->style(), {8, 15, 9, 8});
  for (const auto& [key, states] : both) {
    const auto& [was, is] = states;
    if (was == is) continue;
    const auto& [address, protocol, port] = key;
    const std::string_view change = change_of(was, is, counts);
    if (json) {
      JsonObject record("diff");
      record.text("change", change)
          .text("proto", to_string(protocol))
          .text("addr", address.to_string())
          .number("port", port);
      add_state(record, "old", was);
      add_state(record, "new", is);
      out.line(record.str());
    } else {
      rows.row({std::string(change), address.to_string(), fmt::format("{}/{}", port, to_string(protocol)),
                was, is});
    }
  }
  const bool same = counts.appeared + counts.gone + counts.changed == 0;
  const int code = same ? kExitYes : kExitNo;
  if (json)
    out.line(JsonObject("summary")
                 .boolean("complete", true)
                 .number("appeared", counts.appeared)
                 .number("gone", counts.gone)
                 .number("changed", counts.changed)
                 .number("exit", code)
                 .str());
  notes(app, *old_run, *new_run);
  app.note(fmt::format("{} appeared, {} gone, {} changed", counts.appeared, counts.gone, counts.changed));
  return (*output)->finish(app, code);
}

}  // namespace pier::scan
