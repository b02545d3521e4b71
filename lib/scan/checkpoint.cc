#include "scan/checkpoint.h"

#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/proc_file.h"
#include "scan/bits_text.h"

namespace pier {
namespace {

using nlohmann::json;

json stats_json(const ScanStats& stats) {
  std::size_t last = stats.answers_at.size();
  while (last > 0 && stats.answers_at[last - 1] == 0) --last;
  return {{"probes", stats.probes},
          {"retries", stats.retries},
          {"answers", stats.answers},
          {"late_answers", stats.late_answers},
          {"silent", stats.silent},
          {"least_tries", stats.least_tries},
          {"checks", stats.checks},
          {"checks_lost", stats.checks_lost},
          {"canaries", stats.canaries},
          {"hosts_up", stats.hosts_up},
          {"suspects", stats.suspects},
          {"elapsed_ns", stats.elapsed.count()},
          {"states", stats.states},
          {"answers_at",
           std::vector<std::uint64_t>(stats.answers_at.begin(),
                                      stats.answers_at.begin() + static_cast<std::ptrdiff_t>(last))}};
}

// Reads fields, and remembers when one was not there or of another type.
class Fields {
 public:
  explicit Fields(const json& object) : object_(object) { ok_ = object.is_object(); }

  template <class T>
  void take(const char* name, T& into) {
    const json* const field = find(name);
    if (field != nullptr && field->is_number_unsigned())
      into = static_cast<T>(field->get<std::uint64_t>());
    else
      ok_ = false;
  }
  void take(const char* name, bool& into) {
    const json* const field = find(name);
    if (field != nullptr && field->is_boolean())
      into = field->get<bool>();
    else
      ok_ = false;
  }
  void take(const char* name, std::string& into) {
    const json* const field = find(name);
    if (field != nullptr && field->is_string())
      into = field->get<std::string>();
    else
      ok_ = false;
  }
  void take(const char* name, std::vector<std::string>& into) {
    for (const json& item : array(name)) {
      if (!item.is_string())
        ok_ = false;
      else
        into.push_back(item.get<std::string>());
    }
  }
  [[nodiscard]] std::vector<std::uint64_t> numbers(const char* name) {
    std::vector<std::uint64_t> all;
    for (const json& item : array(name)) {
      if (!item.is_number_unsigned())
        ok_ = false;
      else
        all.push_back(item.get<std::uint64_t>());
    }
    return all;
  }
  [[nodiscard]] bool has(const char* name) const { return find(name) != nullptr; }
  [[nodiscard]] const json& object(const char* name) {
    static const json none = json::object();
    const json* const field = find(name);
    if (field != nullptr && field->is_object()) return *field;
    ok_ = false;
    return none;
  }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  [[nodiscard]] const json* find(const char* name) const {
    if (!object_.is_object()) return nullptr;
    const auto field = object_.find(name);
    return field == object_.end() ? nullptr : &*field;
  }
  [[nodiscard]] const json& array(const char* name) {
    static const json none = json::array();
    const json* const field = find(name);
    if (field != nullptr && field->is_array()) return *field;
    ok_ = false;
    return none;
  }

  const json& object_;
  bool ok_;
};

bool take_stats(const json& object, ScanStats& stats) {
  Fields fields(object);
  fields.take("probes", stats.probes);
  fields.take("retries", stats.retries);
  fields.take("answers", stats.answers);
  fields.take("late_answers", stats.late_answers);
  fields.take("silent", stats.silent);
  fields.take("least_tries", stats.least_tries);
  fields.take("checks", stats.checks);
  fields.take("checks_lost", stats.checks_lost);
  fields.take("canaries", stats.canaries);
  fields.take("hosts_up", stats.hosts_up);
  fields.take("suspects", stats.suspects);
  std::uint64_t elapsed = 0;
  fields.take("elapsed_ns", elapsed);
  constexpr std::uint64_t kMost = std::uint64_t{1} << 62;  // ns: a century and a half
  stats.elapsed = Duration(std::min(elapsed, kMost));
  const auto states = fields.numbers("states");
  const auto answers_at = fields.numbers("answers_at");
  if (!fields.ok() || states.size() != stats.states.size() || answers_at.size() > stats.answers_at.size())
    return false;
  std::ranges::copy(states, stats.states.begin());
  std::ranges::copy(answers_at, stats.answers_at.begin());
  return true;
}

// Two numbers a question: the index, and the probes that it has had.
bool take_unsettled(const std::vector<std::uint64_t>& numbers, ScanProgress& progress) {
  if (numbers.size() % 2 != 0) return false;
  for (std::size_t i = 0; i < numbers.size(); i += 2) {
    if (numbers[i] >= progress.next || numbers[i + 1] > kMostTries) return false;
    progress.unsettled.push_back({numbers[i], static_cast<std::uint8_t>(numbers[i + 1])});
  }
  return true;
}

std::uint64_t blocks_of(const SynProgress& syn) {
  return syn.size / SynProgress::kBlock + 1;
}

// A text for each round, from the first on, of the blocks that were calm in it.
std::vector<std::string> calm_texts(const SynProgress& syn) {
  std::vector<std::string> texts(syn.calm.empty() ? 0U : *std::ranges::max_element(syn.calm));
  for (std::size_t i = 0; i < texts.size(); ++i) {
    std::vector<std::uint64_t> words(syn.calm.size() / 64 + 1, 0);
    for (std::size_t block = 0; block < syn.calm.size(); ++block)
      if (syn.calm[block] == i + 1) words[block / 64] |= std::uint64_t{1} << block % 64;
    texts[i] = bits_text(words, blocks_of(syn));
  }
  return texts;
}

bool take_calm(const std::vector<std::string>& texts, SynProgress& syn) {
  if (texts.size() > kMostTries) return false;
  if (!texts.empty()) syn.calm.assign(blocks_of(syn), 0);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto words = parse_bits(texts[i], blocks_of(syn));
    if (!words) return false;
    for (std::size_t block = 0; block < syn.calm.size() && !words->empty(); ++block)
      if (((*words)[block / 64] >> block % 64 & 1) != 0) syn.calm[block] = static_cast<std::uint8_t>(i + 1);
  }
  return true;
}

json syn_json(const SynProgress& syn) {
  std::vector<std::uint64_t> known;
  for (const auto& pair : syn.known) known.push_back(pair.index << 1 | (pair.open ? 1U : 0U));
  // Three numbers a port: the index, the probes that it got, and the round-trip time in ns plus one, or 0.
  std::vector<std::uint64_t> held;
  for (const auto& port : syn.held) {
    held.push_back(port.index);
    held.push_back(port.tries);
    held.push_back(port.rtt ? static_cast<std::uint64_t>(port.rtt->count()) + 1 : 0);
  }
  return {{"size", syn.size},
          {"round", syn.round},
          {"found", syn.found},
          {"cursor", syn.cursor},
          {"known", known},
          {"settled", bits_text(syn.settled, syn.size)},
          {"calm", calm_texts(syn)},
          {"distrusted", syn.distrusted},
          {"held", held},
          {"hosts", syn.hosts},
          {"up", bits_text(syn.up, syn.hosts)}};
}

bool take_held(const std::vector<std::uint64_t>& numbers, std::uint64_t end, SynProgress& syn) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
  if (numbers.size() % 3 != 0) return false;
  for (std::size_t i = 0; i < numbers.size(); i += 3) {
    const std::uint64_t rtt = numbers[i + 2];
    if (numbers[i] >= end || numbers[i + 1] == 0 || numbers[i + 1] > kMostTries || rtt > kMost) return false;
    syn.held.push_back({.index = numbers[i],
                        .tries = static_cast<unsigned>(numbers[i + 1]),
                        .rtt = rtt > 0 ? std::optional(Duration(rtt - 1)) : std::nullopt});
  }
  return true;
}

bool take_syn(const json& object, std::uint64_t next, SynProgress& syn) {
  Fields fields(object);
  std::uint64_t round = 0;
  std::uint64_t distrusted = 0;
  std::string settled;
  std::string up;
  std::vector<std::string> calm;
  fields.take("size", syn.size);
  fields.take("round", round);
  fields.take("cursor", syn.cursor);
  fields.take("found", syn.found);
  fields.take("settled", settled);
  fields.take("calm", calm);
  fields.take("distrusted", distrusted);
  fields.take("hosts", syn.hosts);
  fields.take("up", up);
  for (const std::uint64_t number : fields.numbers("known"))
    syn.known.push_back({number >> 1, (number & 1) != 0});
  constexpr std::uint64_t kMost = SynProgress::kMostPairs;
  if (syn.size > kMost || syn.size > UINT64_MAX - next || syn.cursor > syn.size || syn.hosts > kMost ||
      round == 0 || round > kMostTries || distrusted > kMostTries || !take_calm(calm, syn))
    return false;
  syn.distrusted = static_cast<unsigned>(distrusted);
  syn.round = static_cast<unsigned>(round);
  auto settled_bits = parse_bits(settled, syn.size);
  auto up_bits = parse_bits(up, syn.hosts);
  if (!settled_bits || !up_bits) return false;
  syn.settled = std::move(*settled_bits);
  syn.up = std::move(*up_bits);
  return take_held(fields.numbers("held"), next + syn.size, syn) && fields.ok();
}

// Two numbers a host: the index, and how many of its ports are open.
bool take_crowds(const std::vector<std::uint64_t>& numbers, ScanProgress& progress) {
  if (numbers.size() % 2 != 0) return false;
  for (std::size_t i = 0; i < numbers.size(); i += 2)
    progress.crowds.push_back({.host = numbers[i], .open = numbers[i + 1]});
  return true;
}

// A host's index and, in the two lowest bits, what its canaries said.
std::uint64_t mark_number(const ScanProgress::HostMark& mark) {
  return mark.index << 2 | (mark.suspect ? 2U : 0U) | (mark.clear ? 1U : 0U);
}

}  // namespace

std::string Checkpoint::to_text() const {
  std::vector<std::uint64_t> unsettled;
  for (const Waiting& waiting : progress.unsettled) {
    unsettled.push_back(waiting.index);
    unsettled.push_back(waiting.tries);
  }
  std::vector<std::uint64_t> hosts;
  for (const auto& mark : progress.up) hosts.push_back(mark_number(mark));
  std::vector<std::string> lost;
  for (const IpAddress& address : progress.given_up) lost.push_back(address.to_string());
  const json head{{"type", "checkpoint"}, {"schema", 1},    {"run", run_id}, {"words", words},
                  {"targets", targets},   {"names", names}, {"seed", seed}};
  json state{{"type", "progress"},         {"complete", complete}, {"next", progress.next},
             {"output_size", output_size}, {"drift", drift},       {"stats", stats_json(progress.stats)},
             {"unsettled", unsettled},     {"hosts", hosts},       {"given_up", lost}};
  if (!progress.crowds.empty()) {
    std::vector<std::uint64_t> crowds;
    for (const auto& crowd : progress.crowds) crowds.insert(crowds.end(), {crowd.host, crowd.open});
    state["crowds"] = crowds;
  }
  if (progress.syn) state["syn"] = syn_json(*progress.syn);
  // Words of a command line may be any bytes.
  constexpr auto kReplace = json::error_handler_t::replace;
  return head.dump(-1, ' ', false, kReplace) + "\n" + state.dump(-1, ' ', false, kReplace) + "\n";
}

Result<Checkpoint> Checkpoint::parse(std::string_view text, std::string_view where) {
  const auto bad = [&](std::string_view why) {
    return fail(ErrorKind::usage, "--resume " + pier::quoted(where), "", why);
  };
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return bad("not a checkpoint of pier-scan");
  const json head = json::parse(text.substr(0, end), nullptr, false);
  const json state = json::parse(text.substr(end + 1), nullptr, false);
  Checkpoint checkpoint;
  Fields first(head);
  std::string type;
  std::uint64_t schema = 0;
  first.take("type", type);
  first.take("schema", schema);
  if (!first.ok() || type != "checkpoint") return bad("not a checkpoint of pier-scan");
  if (schema != 1) return bad("a checkpoint of another version");
  first.take("run", checkpoint.run_id);
  first.take("words", checkpoint.words);
  first.take("targets", checkpoint.targets);
  first.take("seed", checkpoint.seed);
  for (const auto& [address, name] : first.object("names").items())
    if (name.is_string()) checkpoint.names[address] = name.get<std::string>();
  Fields second(state);
  ScanProgress& progress = checkpoint.progress;
  second.take("complete", checkpoint.complete);
  second.take("next", progress.next);
  second.take("output_size", checkpoint.output_size);
  second.take("drift", checkpoint.drift);
  const bool stats = take_stats(second.object("stats"), progress.stats);
  const bool unsettled = take_unsettled(second.numbers("unsettled"), progress);
  for (const std::uint64_t number : second.numbers("hosts"))
    progress.up.push_back({number >> 2, (number & 2) != 0, (number & 1) != 0});
  std::vector<std::string> lost;
  second.take("given_up", lost);
  for (const std::string& address : lost)
    if (const auto parsed = IpAddress::parse(address)) progress.given_up.push_back(*parsed);
  const bool crowds = !second.has("crowds") || take_crowds(second.numbers("crowds"), progress);
  const bool syn =
      !second.has("syn") || take_syn(second.object("syn"), progress.next, progress.syn.emplace());
  if (!first.ok() || !second.ok() || !stats || !unsettled || !crowds || !syn)
    return bad("a damaged checkpoint");
  return checkpoint;
}

Result<Checkpoint> read_checkpoint(const std::string& path) {
  const auto text = read_file(path);
  return text ? Checkpoint::parse(*text, path) : std::unexpected(text.error());
}

Result<void> write_checkpoint(const std::string& path, const Checkpoint& checkpoint) {
  auto file = AtomicFile::create(path);
  if (!file) return std::unexpected(file.error());
  if (auto written = file->write(checkpoint.to_text()); !written) return written;
  if (::fsync(file->fd()) != 0 && errno != EINVAL)  // EINVAL: what cannot be synced, such as a pipe
    return system_error("fsync", pier::quoted(path), errno, ErrorKind::local);
  return file->commit();
}

}  // namespace pier
