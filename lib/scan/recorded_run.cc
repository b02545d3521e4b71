#include "scan/recorded_run.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/proc_file.h"

namespace pier {
namespace {

using nlohmann::json;

std::string text_of(const json& record, const char* name) {
  const auto field = record.find(name);
  return field != record.end() && field->is_string() ? field->get<std::string>() : std::string();
}

std::optional<std::uint64_t> number_of(const json& record, const char* name) {
  const auto field = record.find(name);
  if (field == record.end() || !field->is_number_unsigned()) return std::nullopt;
  return field->get<std::uint64_t>();
}

std::optional<double> real_of(const json& record, const char* name) {
  const auto field = record.find(name);
  if (field == record.end() || !field->is_number()) return std::nullopt;
  return field->get<double>();
}

bool take_start(const json& record, RecordedRun& run) {
  if (number_of(record, "schema") != 1U) return false;
  run.run_id = text_of(record, "run");
  run.seed = number_of(record, "seed").value_or(0);
  run.hosts = number_of(record, "hosts").value_or(0);
  run.ports = number_of(record, "ports").value_or(0);
  run.pairs = number_of(record, "pairs").value_or(0);
  const std::string shard = text_of(record, "shard");
  if (shard.empty() || shard.starts_with("auto")) return shard.empty();
  const auto parsed = Shard::parse(shard);
  if (parsed) run.shard = *parsed;
  return parsed.has_value();
}

bool take_port(const json& record, std::string_view line, RecordedRun& run) {
  const auto address = IpAddress::parse(text_of(record, "addr"));
  const auto port = number_of(record, "port");
  const auto protocol = parse_port_protocol(text_of(record, "proto"));
  const std::string state = text_of(record, "state");
  if (!address || !port || *port > UINT16_MAX || !protocol || state.empty()) return false;
  run.found.push_back({.address = *address,
                       .port = static_cast<std::uint16_t>(*port),
                       .protocol = *protocol,
                       .state = state,
                       .service = text_of(record, "service"),
                       .port_class = text_of(record, "class"),
                       .reason = text_of(record, "reason"),
                       .line = std::string(line)});
  return true;
}

void take_summary(const json& record, RecordedRun& run) {
  RecordedRun::Summary summary;
  const auto complete = record.find("complete");
  summary.complete = complete != record.end() && complete->is_boolean() && complete->get<bool>();
  ScanStats& stats = summary.stats;
  const auto take = [&](const char* name, std::uint64_t& into) {
    into = number_of(record, name).value_or(0);
  };
  take("pairs", stats.pairs);
  take("probes", stats.probes);
  take("answers", stats.answers);
  take("retries", stats.retries);
  take("late_answers", stats.late_answers);
  take("checks", stats.checks);
  take("checks_lost", stats.checks_lost);
  take("canaries", stats.canaries);
  take("hosts", stats.hosts);
  take("hosts_up", stats.hosts_up);
  take("hosts_suspect", stats.suspects);
  for (const PortState state : kPortStates)
    take(std::string(to_string(state)).c_str(), stats.states[static_cast<std::size_t>(state)]);
  const double elapsed = std::clamp(real_of(record, "elapsed").value_or(0), 0.0, 1e9);
  stats.elapsed = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(elapsed));
  summary.loss = real_of(record, "estimated_loss");
  summary.missed = real_of(record, "estimated_missed");
  run.summary = summary;
}

}  // namespace

Result<RecordedRun> parse_recorded_run(std::string_view text, std::string_view where) {
  RecordedRun run;
  bool started = false;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    const bool whole = end != std::string_view::npos;
    text.remove_prefix(whole ? end + 1 : text.size());
    const auto bad = [&](std::string_view why) {
      return fail(ErrorKind::usage, std::string(where) + ":" + std::to_string(number), "", why);
    };
    const json record = json::parse(line, nullptr, false);
    if (!record.is_object()) {
      if (!whole && started) break;  // cut off while it was written
      return bad("not a record of pier-scan --json");
    }
    const std::string type = text_of(record, "type");
    if (type == "start") {
      if (started) return bad("a second start: one file has one run");
      if (!take_start(record, run)) return bad("a start of another schema than 1, or with a bad shard");
      started = true;
    } else if (!started) {
      return bad("the first record of a run is its start");
    } else if (type == "port") {
      if (!take_port(record, line, run)) return bad("a port without addr, port, proto or state");
    } else if (type == "host") {
      run.others.emplace_back(line);
    } else if (type == "summary") {
      take_summary(record, run);
    }
  }
  if (!started) return fail(ErrorKind::usage, std::string(where), "", "no records");
  return run;
}

Result<RecordedRun> read_recorded_run(const std::string& path) {
  const auto text = read_file(path == "-" ? "/dev/stdin" : path);
  return text ? parse_recorded_run(*text, path) : std::unexpected(text.error());
}

}  // namespace pier
