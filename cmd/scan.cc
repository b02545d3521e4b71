// pier-scan: which ports of which hosts are open, closed, filtered.
#include <algorithm>
#include <utility>

#include "cli/app.h"
#include "cmd/scan/files.h"
#include "cmd/scan/run.h"

namespace pier {
namespace {

constexpr Flag kFlags[] = {
    {.name = "ports",
     .letter = 'p',
     .value = "SET",
     .kind = ValueKind::text,
     .group = "What",
     .brief = "ports: 22,80,8000-8100, - for all, class and service names, !X (default: common)"},
    {.name = "exclude",
     .value = "SET",
     .kind = ValueKind::text,
     .group = "What",
     .brief = "targets to leave out, whatever else is said",
     .repeats = true},
    {.name = "shard",
     .value = "I/N",
     .kind = ValueKind::text,
     .group = "What",
     .brief = "the I-th of N equal parts of the same scan; auto: by Slurm or Kubernetes"},
    {.name = "special",
     .group = "What",
     .brief = "ask multicast, broadcast and 0.0.0.0/8 addresses too, which no single host answers for"},
    {.name = "yes", .group = "What", .brief = "do not ask back before a scan of more than 1,048,576 pairs"},
    {.name = "dry-run", .group = "What", .brief = "only say what would be asked, in order; opens no socket"},
    {.name = "connect",
     .group = "How",
     .brief = "TCP ports by connect(2), which needs no privilege (the default)"},
    {.name = "syn",
     .group = "How",
     .brief =
         "TCP ports by SYNs alone, far faster with many hosts; needs CAP_NET_RAW; at most 10,000 a second "
         "unless --rate says otherwise"},
    {.name = "udp",
     .letter = 'u',
     .group = "How",
     .brief = "UDP: ports that -p names are UDP ports, asked in their protocol; needs no privilege"},
    {.name = "window",
     .value = "N",
     .kind = ValueKind::number,
     .group = "How",
     .brief = "probes in flight at most (default: 4096, or what the descriptor limit leaves)",
     .min = 1,
     .max = 1'000'000},
    {.name = "rate",
     .value = "R",
     .kind = ValueKind::rate,
     .group = "How",
     .brief = "probes a second at most (default: no limit; 10000 with --syn)"},
    {.name = "retries",
     .value = "N",
     .kind = ValueKind::number,
     .group = "How",
     .brief = "further probes for a port that has not answered (default: as long as they find something)",
     .max = 100},
    {.name = "probe-timeout",
     .value = "D",
     .kind = ValueKind::duration,
     .group = "How",
     .brief = "how long a probe waits for its answer at most (default: 1s)"},
    {.name = "limit-time",
     .value = "D",
     .kind = ValueKind::duration,
     .group = "How",
     .brief = "end the scan (124) after D (default: never)"},
    {.name = "seed",
     .value = "N",
     .kind = ValueKind::number,
     .group = "How",
     .brief = "of the order of probes; the same seed, the same order (default: random; 0 with --shard)"},
    {.name = "source",
     .value = "ADDR",
     .kind = ValueKind::text,
     .group = "How",
     .brief = "ask from this address of this host"},
    {.name = "source-port",
     .value = "P",
     .kind = ValueKind::port,
     .group = "How",
     .brief = "ask from this port"},
    {.name = "interface",
     .value = "IF",
     .kind = ValueKind::text,
     .group = "How",
     .brief = "ask through this interface only"},
    {.name = "user",
     .value = "NAME",
     .kind = ValueKind::text,
     .group = "How",
     .brief = "with --syn, once its sockets are open, be this user (NAME or NAME:GROUP; default for root: "
              "nobody)"},
    {.name = "all-states", .group = "Output", .brief = "show every port, not open ones only"},
    {.name = "state",
     .value = "LIST",
     .kind = ValueKind::text,
     .group = "Output",
     .brief = "show ports in these states: open, closed, filtered, error…"},
    {.name = "banner",
     .group = "Output",
     .brief = "ask open TCP ports what they are: greeting, HTTP server, TLS certificate (at most 8s each)"},
    {.name = "max-open",
     .value = "N",
     .kind = ValueKind::number,
     .group = "Output",
     .brief = "of a host with more open ports, say only how many",
     .min = 1},
    {.name = "expect",
     .value = "PORTS",
     .kind = ValueKind::text,
     .group = "Output",
     .brief = "exit 1, and show the difference, unless just these are open on each host"},
    {.name = "output",
     .letter = 'o',
     .value = "FILE",
     .kind = ValueKind::file,
     .group = "Output",
     .brief = "write the results there, whole or not at all"},
    {.name = "xml",
     .value = "FILE",
     .kind = ValueKind::file,
     .group = "Output",
     .brief = "write the results in nmap's XML too"},
    {.name = "checkpoint",
     .value = "FILE",
     .kind = ValueKind::file,
     .group = "Output",
     .brief = "keep there how far the scan is, for --resume"},
    {.name = "resume",
     .value = "FILE",
     .kind = ValueKind::file,
     .group = "Output",
     .brief = "go on with the scan of that checkpoint; needs nothing else"},
    {.name = "merge",
     .group = "Output",
     .brief = "join the records of all shards of a scan: files, not targets"},
    {.name = "diff",
     .group = "Output",
     .brief = "tell what differs between the records of two scans: OLD NEW"},
    {.name = "progress",
     .value = "always",
     .kind = ValueKind::choice,
     .group = "Output",
     .brief = "how far it is, on a terminal; =always: elsewhere too, every 5s",
     .choices = "auto|always",
     .implied = "auto"},
    kExplainFlag,
    kJsonFlag,
};

constexpr std::string_view kForms[] = {"[OPTIONS] TARGET…", "--resume FILE", "--merge [OPTIONS] FILE…",
                                       "--diff [OPTIONS] OLD NEW"};
constexpr Example kExamples[] = {
    {"pier-scan 192.0.2.7", "which of the common ports are open"},
    {"pier-scan -p 22,80,8000-8100 db.example 10.0.0.0/24", "these ports of a host and a network"},
    {"pier-scan -p - --all-states localhost", "every port of this host, with its state"},
    {"pier-scan 10.0.0-3.1-254 --exclude 10.0.2.0/24 --rate 500", "gently, and leaving out a network"},
    {"pier-scan @hosts.txt -p https --json -o scan.ndjson", "a list of hosts; records to a file"},
    {"pier-scan web1 web2 -p 1-1024 --expect 22,443", "exit 1 when anything else is open, or these are not"},
    {"pier-scan --banner 192.0.2.7", "and what the open ones say they are"},
    {"pier-scan --syn --rate 100k 10.0.0.0/16 -p 443", "many hosts, as root or with CAP_NET_RAW"},
    {"pier-scan -u 10.0.0.1", "the common UDP ports; -p T:22,U:53 asks both transports"},
    {"pier-scan 10.0.0.0/8 -p 443 --shard 2/8", "the second of eight machines' parts"},
    {"pier-scan --merge part*.ndjson", "all parts as one scan, once they are all there"},
    {"pier-scan 10.0.0.0/16 -p - --checkpoint state -o all",
     "may be killed; pier-scan --resume state goes on"},
    {"pier-scan --diff monday.ndjson tuesday.ndjson", "what has opened or closed"},
};
constexpr ExitNote kExits[] = {
    {"0", "something is open; --expect: just what was expected"},
    {"1", "nothing is open; an unknown name; --expect: something differs"},
    {"2", "wrong usage, or a fault of this host"},
    {"3", "nothing is open, and something can't be told (filtered, error)"},
    {"124", "--limit-time passed; what was found until then is reported"},
};
constexpr std::string_view kConflicts[] = {
    "syn connect",        "syn udp",          "syn window",     "all-states state",   "dry-run expect",
    "dry-run explain",    "dry-run progress", "dry-run state",  "dry-run all-states", "max-open expect",
    "dry-run checkpoint", "dry-run resume",   "dry-run xml",    "checkpoint xml",     "resume xml",
    "checkpoint banner",  "resume banner",    "dry-run banner",
};

constexpr Command kCommand{
    .name = "pier-scan",
    .brief = "which ports of which hosts are open, closed, filtered",
    .forms = kForms,
    .examples = kExamples,
    .flags = kFlags,
    .exits = kExits,
    .conflicts = kConflicts,
};

// These two read files: what is of a scan means nothing to them.
Result<void> check_reading(const Parsed& args, std::string_view what) {
  constexpr std::string_view kTheirs[] = {"json", "output", "quiet", "verbose", "color"};
  for (const Parsed::Given& given : args.given)
    if (given.flag->name != what && std::ranges::find(kTheirs, given.flag->name) == std::end(kTheirs))
      return fail(ErrorKind::usage, "--" + std::string(what) + " and --" + std::string(given.flag->name), "",
                  "the first reads the records of earlier scans, the second is of a scan: give one");
  return {};
}

int run(App& app) {
  using Reader = int (*)(const App&);
  constexpr std::pair<std::string_view, Reader> kReaders[] = {{"merge", scan::merge}, {"diff", scan::diff}};
  for (const auto& [flag, read] : kReaders) {
    if (!app.args.has(flag)) continue;
    if (const auto fits = check_reading(app.args, flag); !fits) return app.fail(fits.error());
    return read(app);
  }
  return scan::run(app);
}

}  // namespace
}  // namespace pier

int main(int argc, char** argv) {
  return pier::run_app(argc, argv, pier::kCommand, pier::run);
}
