#include "cmd/whoami_port/report.h"

#include <unistd.h>

#include <algorithm>

#include "cmd/session.h"
#include "out/text.h"
#include "ports/port_class.h"

namespace pier::whoami {

std::string class_of(std::uint16_t port) {
  return std::string(to_string(port_class(port)));
}

void text_or_null(JsonObject& record, std::string_view name, std::string_view value) {
  if (value.empty()) {
    record.null(name);
  } else {
    record.text(name, value);
  }
}

void put_end(JsonObject& record, const std::string& prefix, const std::optional<IpAddress>& ip,
             const std::optional<std::uint16_t>& port) {
  text_or_null(record, prefix + "_addr", ip ? ip->unmapped().to_string() : std::string());
  if (port) {
    record.number(prefix + "_port", *port).text(prefix + "_class", class_of(*port));
  } else {
    record.null(prefix + "_port").null(prefix + "_class");
  }
}

Report::Report(const App& app)
    : app_(app),
      json_(app.args.has("json")),
      out_(STDOUT_FILENO, json_ || app.out.terminal),
      step_records_(*this),
      explain_([&app](std::string_view line) { app.note(line); },
               [this](std::uint16_t port) { return port_words(port, host_); }, nullptr) {
  if (!json_) return;
  record(JsonObject("start")
             .number("schema", 1)
             .text("program", app.command.name)
             .text("version", PIER_VERSION));
}

StepSink* Report::steps() {
  if (!app_.args.has("explain")) return nullptr;
  return json_ ? static_cast<StepSink*>(&step_records_) : &explain_;
}

void Report::table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& cells : rows) {
    widths.resize(std::max(widths.size(), cells.size()), 1);
    for (std::size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], cells[i].size());
  }
  TextRows text(out_, app_.out, std::move(widths));
  for (const auto& cells : rows) text.row(cells);
}

int Report::end(int code, bool complete,
                const std::vector<std::pair<std::string_view, std::uint64_t>>& facts) {
  if (json_) {
    JsonObject summary("summary");
    summary.boolean("complete", complete);
    for (const auto& [name, value] : facts) summary.number(name, value);
    record(summary);
  }
  return app_.finish(out_, code);
}

int Report::fail(const Error& error) {
  const int code = app_.fail(error);
  return end(code, false);
}

void Report::StepRecords::step(const Step& step) {
  report_.record(step_record(step));
}

JsonObject port_record(const Ends& ends) {
  JsonObject record("port");
  text_or_null(record, "proto", ends.transport ? to_string(*ends.transport) : "");
  text_or_null(record, "family", ends.local ? to_string(ends.local->unmapped().family()) : "");
  put_end(record, "local", ends.local, ends.local_port);
  put_end(record, "remote", ends.remote, ends.remote_port);
  text_or_null(record, "role", ends.role);
  text_or_null(record, "remote_role", ends.remote_role);
  text_or_null(record, "interface", ends.interface);
  text_or_null(record, "gateway", ends.gateway ? ends.gateway->to_string() : "");
  if (ends.mtu)
    record.number("mtu", *ends.mtu);
  else
    record.null("mtu");
  return record;
}

std::vector<std::string> port_cells(const Ends& ends) {
  const auto addr = [](const std::optional<IpAddress>& ip) { return ip ? ip->unmapped().to_string() : ""; };
  const auto number = [](const std::optional<std::uint16_t>& port) {
    return port ? std::to_string(*port) : "";
  };
  const auto range = [](const std::optional<std::uint16_t>& port) { return port ? class_of(*port) : ""; };
  return {ends.transport ? std::string(to_string(*ends.transport)) : "",
          addr(ends.local),
          number(ends.local_port),
          range(ends.local_port),
          std::string(ends.role),
          addr(ends.remote),
          number(ends.remote_port),
          range(ends.remote_port),
          std::string(ends.remote_role),
          ends.interface};
}

}  // namespace pier::whoami
