#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <ranges>
#include <set>

#include "base/number.h"
#include "cmd/scan/files.h"
#include "cmd/scan/output.h"
#include "out/scan_rows.h"
#include "out/text.h"
#include "scan/recorded_run.h"

namespace pier::scan {
namespace {

// More are counted, not named.
constexpr std::size_t kMostNamed = 20;

// Of `all` shards, those that `first` begins with.
std::string numbers(const std::vector<std::uint64_t>& first, std::uint64_t all) {
  std::string text;
  for (const std::uint64_t shard : first | std::views::take(kMostNamed))
    text += (text.empty() ? "" : ", ") + std::to_string(shard);
  if (all > kMostNamed) text += fmt::format(" and {} more", all - kMostNamed);
  return text;
}

std::vector<std::uint64_t> first_missing(const std::set<std::uint64_t>& here, std::uint64_t missing) {
  std::vector<std::uint64_t> first;
  for (std::uint64_t i = 1; first.size() < std::min<std::uint64_t>(missing, kMostNamed); ++i)
    if (!here.contains(i)) first.push_back(i);
  return first;
}

// One run, each shard at most once.
Result<void> check_kin(const std::vector<RecordedRun>& runs, const std::vector<std::string>& paths) {
  std::map<std::uint64_t, std::string> seen;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const RecordedRun& run = runs[i];
    if (run.run_id.empty() || run.run_id != runs[0].run_id || run.shard.count != runs[0].shard.count)
      return usage_error("--merge", paths[i],
                         "is of another scan than " + quoted(paths[0]) +
                             ": the targets, ports, seed and number of shards must be the same");
    const auto [place, is_new] = seen.emplace(run.shard.index, paths[i]);
    if (!is_new)
      return usage_error(
          "--merge", paths[i],
          fmt::format("is shard {}/{}, as {} is", run.shard.index, run.shard.count, quoted(place->second)));
  }
  return {};
}

void add(ScanStats& sum, const ScanStats& part) {
  sum.pairs += part.pairs;
  sum.probes += part.probes;
  sum.answers += part.answers;
  sum.retries += part.retries;
  sum.late_answers += part.late_answers;
  sum.checks += part.checks;
  sum.checks_lost += part.checks_lost;
  sum.canaries += part.canaries;
  sum.suspects = std::max(sum.suspects, part.suspects);
  sum.hosts = std::max(sum.hosts, part.hosts);
  sum.hosts_up = std::max(sum.hosts_up, part.hosts_up);
  for (std::size_t i = 0; i < sum.states.size(); ++i) sum.states[i] += part.states[i];
  sum.elapsed = std::max(sum.elapsed, part.elapsed);
}

// Each shard's own estimate, weighted by what it rests on.
struct Estimate {
  double sum = 0;
  double weight = 0;
  bool known = true;

  void add(std::optional<double> share, std::uint64_t answers) {
    if (answers == 0) return;
    if (!share) known = false;
    sum += share.value_or(0) * static_cast<double>(answers);
    weight += static_cast<double>(answers);
  }
  [[nodiscard]] std::optional<double> share() const {
    if (!known) return std::nullopt;
    return weight == 0 ? 0 : sum / weight;
  }
};

void print(const App& app, Writer& out, const Style& style, const std::vector<RecordedRun>& runs) {
  if (app.args.has("json")) {
    std::uint64_t pairs = 0;
    for (const RecordedRun& run : runs) pairs += run.pairs;
    JsonObject start("start");
    start.number("schema", 1)
        .text("program", app.command.name)
        .text("version", PIER_VERSION)
        .text("run", runs[0].run_id)
        .number("seed", runs[0].seed)
        .text("shard", "1/1")
        .number("merged", runs.size())
        .number("hosts", runs[0].hosts)
        .number("ports", runs[0].ports)
        .number("pairs", pairs);
    out.line(start.str());
  }
  TextRows rows(out, style, kRowWidths);
  for (const RecordedRun& run : runs) {
    for (const RecordedPort& port : run.found) {
      if (app.args.has("json"))
        out.line(port.line);
      else
        rows.row({port.address.to_string(), fmt::format("{}/{}", port.port, to_string(port.protocol)),
                  port.state, port.service, port.port_class, port.reason});
    }
    if (app.args.has("json"))
      for (const std::string& line : run.others) out.line(line);
  }
}

}  // namespace

int merge(const App& app) {
  const std::vector<std::string>& paths = app.args.operands;
  if (paths.empty())
    return app.fail(usage_error("--merge", "", "which files? Those of all shards of one scan").error());
  std::vector<RecordedRun> runs;
  for (const std::string& path : paths) {
    auto run = read_recorded_run(path);
    if (!run) return app.fail(run.error());
    runs.push_back(std::move(*run));
  }
  if (const auto kin = check_kin(runs, paths); !kin) return app.fail(kin.error());
  auto output = Output::open(app, app.args.text("output"), false);
  if (!output) return app.fail(output.error());
  print(app, (*output)->writer(), (*output)->style(), runs);

  ScanStats sum;
  Estimate loss, missed;
  std::vector<std::uint64_t> unfinished;
  std::set<std::uint64_t> here;
  for (const RecordedRun& run : runs) {
    here.insert(run.shard.index);
    if (!run.summary || !run.summary->complete) unfinished.push_back(run.shard.index);
    if (!run.summary) continue;
    add(sum, run.summary->stats);
    loss.add(run.summary->loss, run.summary->stats.answers);
    missed.add(run.summary->missed, run.summary->stats.answers);
  }
  const std::uint64_t missing = runs[0].shard.count - here.size();
  const bool complete = missing == 0 && unfinished.empty();
  const auto undetermined = sum.done() - std::min(sum.done(), sum.count(PortState::closed));
  int code = sum.count(PortState::open) > 0 ? kExitYes : undetermined > 0 ? kExitUnknown : kExitNo;
  if (!complete) code = kExitNo;
  if (app.args.has("json")) {
    JsonObject record("summary");
    record.boolean("complete", complete).number("shards", runs.size()).number("of", runs[0].shard.count);
    add_stats(record, sum, loss.share(), missed.share());
    (*output)->writer().line(record.number("exit", code).str());
  }
  std::ranges::sort(unfinished);
  if (missing > 0)
    app.error(fmt::format("of {} shards {} missing: {}", runs[0].shard.count,
                          missing == 1 ? "one is" : fmt::format("{} are", missing),
                          numbers(first_missing(here, missing), missing)));
  if (!unfinished.empty())
    app.error("not scanned to the end: shard " + numbers(unfinished, unfinished.size()));
  app.note(summary_line(sum, missed.share(), complete ? "complete" : "incomplete"));
  return (*output)->finish(app, code);
}

}  // namespace pier::scan
