#include "cmd/scan/options.h"

#include <sys/random.h>
#include <unistd.h>

#include <algorithm>

#include "event/resolve.h"
#include "scan/special.h"
#include "scan/syn_engine.h"

namespace pier::scan {
namespace {

Result<std::set<PortState>> shown_states(const Parsed& args) {
  if (args.has("all-states")) return std::set<PortState>(kPortStates.begin(), kPortStates.end());
  const auto list = args.text("state");
  if (!list) return std::set{PortState::open};
  std::set<PortState> shown;
  for (std::string_view rest = *list;;) {
    const std::size_t comma = rest.find(',');
    const std::string_view word = rest.substr(0, comma);
    const auto state = std::ranges::find(kPortStates, word, [](PortState s) { return to_string(s); });
    if (state == kPortStates.end())
      return usage_error("--state", word, "not one of open, closed, filtered, open|filtered, error, suspect");
    shown.insert(*state);
    if (comma == std::string_view::npos) return shown;
    rest.remove_prefix(comma + 1);
  }
}

PortSetRules rules_of(const Parsed& args) {
  return {.unqualified = args.has("udp") ? PortProtocol::udp : PortProtocol::tcp};
}

Result<std::optional<PortSet>> expected_of(const Parsed& args, const PortSet& scanned) {
  const auto text = args.text("expect");
  if (!text) return std::nullopt;
  const PortSetRules rules = rules_of(args);
  auto expected = parse_port_set(*text, rules);
  if (!expected) return std::unexpected(expected.error());
  PortSet unasked = *expected;
  unasked.remove(scanned);
  if (!unasked.empty())
    return usage_error("--expect", *text,
                       "has " + unasked.to_string(rules.unqualified) + ", which -p does not scan");
  return *expected;
}

Result<ProbeSource> source_of(const Parsed& args) {
  ProbeSource source;
  source.port = static_cast<std::uint16_t>(args.number("source-port").value_or(0));
  source.interface = args.text("interface").value_or("");
  if (const auto text = args.text("source")) {
    const auto address = IpAddress::parse(*text);
    if (!address) return usage_error("--source", *text, "not an address of this host, such as 192.0.2.1");
    source.address = *address;
  }
  return source;
}

// Short enough to be typed again, and exact in every JSON reader (RFC 8259, section 6: 53 bits).
std::uint64_t random_seed() {
  std::uint32_t seed = 0;
  if (::getrandom(&seed, sizeof seed, 0) != sizeof seed)
    seed = static_cast<std::uint32_t>(now().time_since_epoch().count());
  return seed;
}

void add_families(const AddressSet& set, std::set<Family>& families) {
  for (const AddressRange& range : set.ranges()) families.insert(range.family);
}

Result<void> check_family(const TargetSet& targets, const ProbeSource& source) {
  if (!source.address) return {};
  std::set<Family> families;
  add_families(targets.addresses(), families);
  families.erase(source.address->family());
  if (families.empty()) return {};
  const auto other =
      std::ranges::find(targets.addresses().ranges(), *families.begin(), &AddressRange::family);
  return usage_error("--source", source.address->to_string(),
                     "is of the other family than the target " +
                         from_number(other->family, other->first, other->zone).to_string());
}

// Nobody answers for these, or everybody: they are not asked unless the user says so. How many there were.
Result<Uint128> leave_out_special(const App& app, TargetSet& targets) {
  if (app.args.has("special") || targets.addresses().empty()) return Uint128{0};
  const IpAddress first = targets.addresses().at(0);
  const Uint128 left_out = targets.leave_out(special_addresses());
  if (targets.addresses().empty())
    return usage_error("target", first.to_string(),
                       "is " + special_kind(first) + ": --special asks it all the same");
  return left_out;
}

NameLookup lookup(const ProbeSource& source, StepSink* steps) {
  return [&source, steps](const std::string& name) {
    const auto family = source.address ? std::optional(source.address->family()) : std::nullopt;
    auto addresses = resolve_now(name, family);
    if (steps != nullptr) {
      std::string text = name + ":";
      if (addresses)
        for (const IpAddress& address : *addresses) text += " " + address.to_string();
      steps->step({.call = "resolve",
                   .text = text,
                   .result = addresses ? "ok" : addresses.error().message(),
                   .fields = {{"name", name}}});
    }
    return addresses;
  };
}

}  // namespace

Result<Options> read_options(const App& app) {
  const Parsed& args = app.args;
  Options options;
  options.json = args.has("json");
  options.dry_run = args.has("dry-run");
  options.progress = args.has("progress") && (app.err.redraws || args.text("progress") == "always");
  if (args.operands.empty())
    return fail(ErrorKind::usage, "no target", "",
                "give names, addresses, prefixes or ranges, @FILE, or - for a list on standard input");
  auto ports = parse_port_set(args.text("ports").value_or("common"), rules_of(args));
  if (!ports) return std::unexpected(ports.error());
  options.ports = *ports;
  auto expected = expected_of(args, *ports);
  if (!expected) return std::unexpected(expected.error());
  options.expected = *expected;
  auto shown = shown_states(args);
  if (!shown) return std::unexpected(shown.error());
  options.shown = *shown;
  auto source = source_of(args);
  if (!source) return std::unexpected(source.error());
  options.source = *source;
  if (const auto text = args.text("shard")) {
    const auto shard = Shard::parse(*text);
    if (!shard) return std::unexpected(shard.error());
    options.shard = *shard;
  }
  options.limits.timeout = args.duration("probe-timeout").value_or(kProbeTimeout);
  if (options.limits.timeout <= Duration::zero())
    return usage_error("--probe-timeout", *args.text("probe-timeout"), "no answer comes in no time");
  // The parts of a scan fit each other only in one order.
  options.seed = args.number("seed").value_or(args.has("shard") ? kShardSeed : random_seed());
  options.limits.window = args.number("window").value_or(kWindow);
  if (const auto retries = args.number("retries")) options.limits.retries = static_cast<unsigned>(*retries);
  options.limits.max_open = args.number("max-open");
  options.limits.seed = options.seed;
  options.syn = args.has("syn");
  options.limits.rate = args.number("rate");
  if (options.syn) {
    if (options.ports.size(PortProtocol::udp) > 0)
      return usage_error("--ports", args.text("ports").value_or("common"),
                         "has UDP ports, which --syn does not ask: scan them without it");
    if (!options.limits.rate) options.limits.rate = SynEngine::kDefaultRate;
  } else if (args.has("user")) {
    return fail(ErrorKind::usage, "--user", "",
                "is for --syn: a scan without privileges has none to give up");
  }
  options.limits.deadline = Deadline::after(args.duration("limit-time"));
  return options;
}

Result<ProbePlan> make_plan(const App& app, const Options& options, StepSink* steps) {
  TargetLists lists(STDIN_FILENO, [&app] { app.note("reading targets from the terminal; ctrl-D ends"); });
  const auto wanted = lists.read(app.args.operands);
  if (!wanted) return std::unexpected(wanted.error());
  const auto excluded = lists.read(app.args.texts("exclude"));
  if (!excluded) return std::unexpected(excluded.error());
  for (const TargetSpec* spec : {&*wanted, &*excluded})
    for (const std::string& note : spec->notes) app.detail(note);
  if (wanted->ranges.empty() && wanted->names.empty())
    return fail(ErrorKind::usage, "no target", "", "the lists that were given are empty");
  auto targets = TargetSet::make(*wanted, *excluded, lookup(options.source, steps));
  if (!targets) return std::unexpected(targets.error());
  const auto left_out = leave_out_special(app, *targets);
  if (!left_out) return std::unexpected(left_out.error());
  if (const auto fits = check_family(*targets, options.source); !fits) return std::unexpected(fits.error());
  auto plan = ProbePlan::make(std::move(*targets), options.ports, options.seed, options.shard);
  if (plan && *left_out > 0)
    app.note(to_string(*left_out) +
             " multicast, broadcast or 0.0.0.0/8 addresses are left out: --special asks them too");
  return plan;
}

}  // namespace pier::scan
