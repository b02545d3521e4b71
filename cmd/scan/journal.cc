#include "cmd/scan/journal.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "net/target_grammar.h"

namespace pier::scan {
namespace {

constexpr Duration kBetween = std::chrono::seconds(1);
constexpr int kShare = 20;  // of the time: one in so many parts

// Not of the scan, but of one run of it.
constexpr std::array<std::string_view, 8> kOfOneRun{"resume",  "checkpoint", "progress",   "quiet",
                                                    "verbose", "color",      "limit-time", "yes"};

bool is_of_one_run(std::string_view flag) {
  return std::ranges::find(kOfOneRun, flag) != kOfOneRun.end();
}

std::string word_of(const Parsed::Given& given, const Options& options) {
  std::string value = given.value;
  // What the scheduler says of one task is not what it says of another.
  if (given.flag->name == "shard") value = fmt::format("{}/{}", options.shard.index, options.shard.count);
  return "--" + std::string(given.flag->name) + (value.empty() ? "" : "=" + value);
}

std::string typed(const Parsed& args, std::string_view flag) {
  std::string text;
  for (const std::string& value : args.texts(flag))
    text += (text.empty() ? "--" : " --") + std::string(flag) + (value.empty() ? "" : " " + value);
  if (text.empty() && args.has(flag)) text = "--" + std::string(flag);
  return text;
}

std::string range_text(const AddressRange& range) {
  const std::string first = from_number(range.family, range.first, range.zone).to_string();
  const std::string last = from_number(range.family, range.last, range.zone).to_string();
  return range.family == Family::ipv4 ? first + "-" + last : "[" + first + "]-[" + last + "]";
}

}  // namespace

bool FileJournal::due(TimePoint when) const {
  return when >= due_;
}

bool FileJournal::before_results(const ScanProgress& progress, std::span<const PortResult> results,
                                 bool complete) {
  checkpoint_.drift = report_.drift() + report_.drift_of(results);
  return output_.partial_fd() >= 0 || write(progress, complete, now());
}

bool FileJournal::after_results(const ScanProgress& progress, bool complete) {
  output_.writer().flush();
  if (output_.partial_fd() < 0) return true;
  const TimePoint began = now();
  struct stat there{};
  if (::fsync(output_.partial_fd()) != 0 || ::fstat(output_.partial_fd(), &there) != 0) {
    failure_ = Error{ErrorKind::local, "fsync", "the output", errno, {}};
    return false;
  }
  checkpoint_.output_size = static_cast<std::uint64_t>(there.st_size);
  return write(progress, complete, began);
}

bool FileJournal::write(const ScanProgress& progress, bool complete, TimePoint began) {
  checkpoint_.progress = progress;
  checkpoint_.complete = complete;
  const auto written = write_checkpoint(path_, checkpoint_);
  if (!written) failure_ = written.error();
  const TimePoint when = now();
  // A sender that waits is one that does not send; a connect scan's probes are in flight meanwhile.
  due_ = when + (progress.syn ? std::max(kBetween, (when - began) * (kShare - 1)) : kBetween);
  return written.has_value();
}

int end_run(const App& app, Report& report, Output& output, const FileJournal* journal, const RunEnd& run) {
  if (journal != nullptr && journal->failure()) return app.fail(*journal->failure());
  const bool goes_on = journal != nullptr && run.end != ScanEnd::complete;
  const bool stays = goes_on && output.partial_fd() >= 0;
  const int code = stays ? report.end_to_be_resumed(run.end, run.stats, run.given_up, run.signal)
                         : report.end(run.end, run.stats, run.given_up, run.signal);
  if (goes_on && run.end != ScanEnd::unwanted)
    app.note("pier-scan --resume " + quoted(journal->path()) + " goes on with it");
  return stays ? output.leave(app, code) : output.finish(app, code);
}

Checkpoint describe(const App& app, const Options& options, const ProbePlan& plan) {
  Checkpoint checkpoint;
  checkpoint.run_id = plan.run_id();
  checkpoint.seed = options.seed;
  for (const Parsed::Given& given : app.args.given)
    if (!is_of_one_run(given.flag->name)) checkpoint.words.push_back(word_of(given, options));
  checkpoint.words.emplace_back("--");
  for (const std::string& operand : app.args.operands) checkpoint.words.push_back(operand);
  for (const AddressRange& range : plan.targets().addresses().ranges())
    checkpoint.targets.push_back(range_text(range));
  for (const auto& [address, name] : plan.targets().names()) checkpoint.names[address.to_string()] = name;
  return checkpoint;
}

Result<void> check_free(const std::string& path) {
  struct stat there{};
  if (::stat(path.c_str(), &there) != 0 || there.st_size == 0) return {};
  const auto old = read_checkpoint(path);
  if (!old)
    return usage_error("--checkpoint", path, "is there and holds no checkpoint: it is not overwritten");
  if (!old->complete)
    return usage_error("--checkpoint", path,
                       "holds a scan that has not come to its end: --resume goes on with it; or remove it");
  return {};
}

Result<Parsed> resumed_words(const Command& command, const Parsed& given, const Checkpoint& checkpoint,
                             const std::string& path) {
  std::vector<const char*> words;
  for (const std::string& word : checkpoint.words) words.push_back(word.c_str());
  auto stored = parse(command, words);
  if (!stored)
    return fail(ErrorKind::usage, "--resume " + quoted(path), "", "its options are unknown to this version");
  const auto differs = [&](const std::string& was, const std::string& is) {
    return usage_error("--resume", path,
                       "was made with " + (was.empty() ? "no such option" : was) + ", not with " + is +
                           ": give what it was made with, or nothing");
  };
  for (const Parsed::Given& one : given.given) {
    const std::string_view flag = one.flag->name;
    if (is_of_one_run(flag)) {
      stored->given.push_back(one);
    } else if (typed(given, flag) != typed(*stored, flag)) {
      return differs(typed(*stored, flag), typed(given, flag));
    }
  }
  if (const auto other = given.text("checkpoint"); other && *other != path)
    return usage_error("--checkpoint", *other, "is not the file of --resume, in which the scan goes on");
  if (!given.operands.empty() && given.operands != stored->operands) {
    const auto joined = [](const std::vector<std::string>& operands) {
      std::string text;
      for (const std::string& operand : operands) text += (text.empty() ? "" : " ") + operand;
      return text;
    };
    return differs("targets " + joined(stored->operands), joined(given.operands));
  }
  return *stored;
}

Result<TargetSet> resumed_targets(const Checkpoint& checkpoint) {
  TargetSpec spec;
  for (const std::string& range : checkpoint.targets)
    if (const auto parsed = parse_target(range, spec); !parsed) return std::unexpected(parsed.error());
  std::map<IpAddress, std::string> names;
  for (const auto& [text, name] : checkpoint.names)
    if (const auto address = IpAddress::parse(text)) names.emplace(*address, name);
  return TargetSet(AddressSet(std::move(spec.ranges)), std::move(names));
}

}  // namespace pier::scan
