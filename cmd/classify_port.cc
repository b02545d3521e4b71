// pier-classify-port: what is known of a port number.
#include <unistd.h>

#include <optional>

#include "base/lines.h"
#include "base/pattern.h"
#include "base/stop_signals.h"
#include "cli/app.h"
#include "cmd/classify_port/output.h"
#include "ports/classify.h"
#include "ports/common_use.h"
#include "ports/port_query.h"

namespace pier::classify_port {
namespace {

constexpr std::string_view kForms[] = {"[OPTIONS] PORT…", "[OPTIONS] [-]", "--registry [--json]"};

constexpr Example kExamples[] = {
    {"pier classify-port 22 6443", "class, service and flags, for tcp and udp"},
    {"pier classify-port https 53/udp 8000-8010", "service names, one transport, ranges"},
    {"pier classify-port postgre", "a name cut short, where only one begins so"},
    {"ss -Htln | awk '{print $4}' | sed 's/.*://' | pier classify-port", "ports from stdin, one a line"},
    {"pier classify-port 1-65535 --service '^mqtt|mqtt$'", "every port of a service"},
    {"pier classify-port registered --compress", "neighbours that agree as one row"},
    {"pier classify-port 3000 5000 6443 --common-use", "what is often found there"},
};

constexpr Flag kFlags[] = {
    {.name = "class",
     .value = "C",
     .kind = ValueKind::choice,
     .group = "Which ports",
     .brief = "only this class: well-known, registered or dynamic",
     .choices = "well-known|registered|dynamic"},
    {.name = "service",
     .value = "RE",
     .kind = ValueKind::text,
     .group = "Which ports",
     .brief = "only ports with a service or alias that matches RE, in any case"},
    {.name = "compress",
     .group = "Output",
     .brief = "one row for neighbouring ports that agree in everything"},
    {.name = "common-use",
     .group = "Output",
     .brief = "add what is often found there, whatever is assigned, and by whose document"},
    kJsonFlag,
    {.name = "registry", .group = "Output", .brief = "date, source and counts of the data, then exit"},
};

constexpr std::string_view kConflicts[] = {"registry class", "registry service", "registry compress",
                                           "registry common-use"};

constexpr ExitNote kExits[] = {
    {"0", "a port was printed to which a service is assigned"},
    {"1", "nothing given is assigned"},
    {"2", "bad input; on stdin the other lines are still answered"},
};

constexpr Command kCommand{
    .name = "pier-classify-port",
    .brief = "what is known of a port number",
    .forms = kForms,
    .examples = kExamples,
    .flags = kFlags,
    .exits = kExits,
    .conflicts = kConflicts,
    .dashed_operands = true,
};

struct Plan {
  std::vector<std::string> notes;  // what was taken for what
  OutputRules output;
  std::optional<PortClass> only_class;
  std::optional<Pattern> only_service;
  // In the order given; nullopt is stdin.
  std::vector<std::optional<PortQuery>> inputs;
};

OutputRules output_rules_of(const Parsed& args) {
  return {.json = args.has("json"), .compress = args.has("compress"), .common_use = args.has("common-use")};
}

// A name that is mistyped or cut short is answered for where only one can be meant, and a note says which.
// Lines of stdin are for programs to write, and are not guessed at.
Result<PortQuery> query_of(const std::string& operand, std::vector<std::string>& notes) {
  auto query = PortQuery::parse(operand);
  if (query) return query;
  const std::string meant = PortQuery::meant(operand);
  if (meant.empty()) return query;
  auto other = PortQuery::parse(meant);
  if (!other) return query;
  notes.push_back("port " + quoted(operand) + ": no such service, taken as " + meant);
  return other;
}

Result<Plan> plan_of(const Parsed& args) {
  Plan plan{.notes = {},
            .output = output_rules_of(args),
            .only_class = parse_port_class(args.text("class").value_or("")),
            .only_service = {},
            .inputs = {}};
  if (const auto text = args.text("service")) {
    auto pattern = Pattern::compile(*text, "--service");
    if (!pattern) return std::unexpected(pattern.error());
    plan.only_service = std::move(*pattern);
  }
  for (const std::string& operand : args.operands) {
    if (operand == "-") {
      plan.inputs.emplace_back(std::nullopt);
      continue;
    }
    auto query = query_of(operand, plan.notes);
    if (!query) return std::unexpected(query.error());
    plan.inputs.emplace_back(std::move(*query));
  }
  if (plan.inputs.empty()) plan.inputs.emplace_back(std::nullopt);
  return plan;
}

class Run {
 public:
  Run(const App& app, const Plan& plan)
      : app_(app),
        plan_(plan),
        output_(app, plan.output),
        runs_([this](const PortFacts& facts) { print(facts); }),
        stop_(plan.output.json) {}

  int operator()() {
    output_.start();
    for (const auto& input : plan_.inputs) {
      if (!output_.writer().ok() || failed_ || stop_.seen() != 0) break;
      if (input)
        answer(*input);
      else
        answer_stdin();
    }
    runs_.finish();
    const int signal = stop_.seen();
    output_.summary(signal == 0 && !failed_, tally_);
    return app_.finish(output_.writer(), exit_code(signal));
  }

 private:
  [[nodiscard]] int exit_code(int signal) const {
    if (signal != 0) return kExitSignal + signal;
    if (failed_ || tally_.bad > 0) return kExitUsage;
    return tally_.assigned > 0 ? kExitYes : kExitNo;
  }

  void answer(const PortQuery& query) {
    ++tally_.inputs;
    query.for_each([this](std::uint16_t port, PortProtocol protocol) {
      if (!output_.writer().ok()) return;
      const PortFacts facts = classify(protocol, port, host_);
      if (!wanted(facts)) return;
      if (plan_.output.compress)
        runs_.add(facts, plan_.output.common_use && !common_uses_of(protocol, port).empty());
      else
        print(facts);
    });
  }

  void answer_stdin() {
    if (::isatty(STDIN_FILENO) == 1)
      app_.note("pier-classify-port: reading ports from this terminal, one a line; ^D ends");
    std::size_t number = 0;
    const auto before_read = [this] {
      output_.writer().flush();
      return output_.writer().ok() && stop_.wait_readable(STDIN_FILENO);
    };
    const auto read = read_lines(STDIN_FILENO, before_read, [&](std::string_view line) {
      ++number;
      if (!output_.writer().ok()) return;
      if (const auto query = PortQuery::parse(line))
        answer(*query);
      else
        refuse(number, query.error());
    });
    if (read) return;
    failed_ = true;
    Error error = read.error();
    if (error.kind == ErrorKind::local) error.subject = "standard input";
    app_.error(error.message());
  }

  void refuse(std::size_t line, const Error& error) {
    ++tally_.inputs;
    ++tally_.bad;
    app_.error("line " + std::to_string(line) + ": " + error.message());
  }

  [[nodiscard]] bool wanted(const PortFacts& facts) const {
    if (plan_.only_class && facts.port_class != *plan_.only_class) return false;
    if (!plan_.only_service) return true;
    if (facts.service.empty()) return false;
    if (plan_.only_service->matches(facts.service)) return true;
    for (std::size_t i = 0; i < facts.aliases.size(); ++i)
      if (plan_.only_service->matches(facts.aliases[i])) return true;
    return false;
  }

  void print(const PortFacts& facts) {
    ++tally_.rows;
    if (!facts.service.empty()) ++tally_.assigned;
    output_.port(facts);
  }

  const App& app_;
  const Plan& plan_;
  const HostPorts host_ = read_host_ports();
  Output output_;
  PortRuns runs_;
  StopSignals stop_;
  Tally tally_;
  bool failed_ = false;  // stdin could not be read
};

int print_registry(const App& app) {
  if (!app.args.operands.empty())
    return app.fail(usage_error("--registry", app.args.operands[0], "takes no port").error());
  Output output(app, output_rules_of(app.args));
  output.registry();
  return app.finish(output.writer(), kExitYes);
}

int run(App& app) {
  if (app.args.has("registry")) return print_registry(app);
  const auto plan = plan_of(app.args);
  if (!plan) return app.fail(plan.error());
  for (const std::string& note : plan->notes) app.note("pier-classify-port: " + note);
  return Run(app, *plan)();
}

}  // namespace
}  // namespace pier::classify_port

int main(int argc, char** argv) {
  return pier::run_app(argc, argv, pier::classify_port::kCommand, pier::classify_port::run);
}
