// pier: the front door. `pier listen …` runs the pier-listen beside it, as git runs git-log.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/suggest.h"
#include "cli/app.h"
#include "out/writer.h"

namespace pier {
namespace {

constexpr Subcommand kCommands[] = {
    {"listen", "the server: wait to be contacted"},
    {"connect", "the client: connect to a server"},
    {"scan", "which ports of which hosts are open, closed, filtered"},
    {"whoami-port", "which port am I, who owns this port, which are free"},
    {"classify-port", "what a port number stands for, here and in general"},
    {"nc", "the command line of OpenBSD's nc: for scripts that are written for it"},
};
constexpr std::string_view kForms[] = {"COMMAND [ARGUMENT…]", "help [COMMAND]"};
constexpr Example kExamples[] = {
    {"pier listen 0 > report.pdf", "receive one file on a port the kernel chooses"},
    {"pier connect 192.0.2.7 43817 < report.pdf", "send it there"},
    {"pier scan 192.0.2.0/28 -p 22,443", "which hosts answer on these ports"},
    {"pier whoami-port --port 8080", "who owns this port"},
    {"pier classify-port 443 6000-6063", "what these ports are"},
    {"pier help listen", "everything about pier-listen"},
};
constexpr ExitNote kExits[] = {
    {"126", "the command could not be run"},
    {"127", "the command was not found"},
};
constexpr Command kPier{.name = "pier",
                        .brief = "small commands for sockets and ports",
                        .forms = kForms,
                        .examples = kExamples,
                        .flags = {},
                        .exits = kExits,
                        .subcommands = kCommands};

bool is_command(std::string_view name) {
  return std::ranges::find(kCommands, name, &Subcommand::name) != std::end(kCommands);
}

// "/usr/bin" of /usr/bin/pier; empty where /proc is not mounted.
std::string own_folder() {
  std::array<char, PATH_MAX> path{};
  const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
  if (length <= 0) return {};
  const std::string_view self(path.data(), static_cast<std::size_t>(length));
  return std::string(self.substr(0, self.rfind('/')));
}

// Becomes pier-NAME with these words after its own name: the one beside this program, else the one in PATH.
// Returns only when there is none that runs, with what to tell and the exit code.
Error become(const std::string& name, std::vector<const char*> words) {
  const std::string program = "pier-" + name;
  words.insert(words.begin(), program.c_str());
  words.push_back(nullptr);
  const auto arguments = const_cast<char* const*>(words.data());  // execv(3) leaves them as they are
  const std::string folder = own_folder();
  if (!folder.empty()) ::execv((folder + "/" + program).c_str(), arguments);
  if (folder.empty() || errno == ENOENT) ::execvp(program.c_str(), arguments);
  if (errno != ENOENT) return Error{ErrorKind::local, "run", program, errno, {}};
  const std::string where = folder.empty() ? "not found in PATH" : "not found in " + folder + " or in PATH";
  return Error{ErrorKind::local, "run", program, ENOENT, where};
}

int cannot_run(const App& app, const Error& error) {
  app.error(error.message());
  return error.code == ENOENT ? kExitNotFound : kExitCannotRun;
}

// Whether man(1) has a page of that name.
bool has_man_page(const std::string& page) {
  std::array<const char*, 4> words{"man", "-w", page.c_str(), nullptr};
  posix_spawn_file_actions_t actions;
  if (::posix_spawn_file_actions_init(&actions) != 0) return false;
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const int failed =
      ::posix_spawnp(&child, "man", &actions, nullptr, const_cast<char* const*>(words.data()), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return false;
  int status = 0;
  return retry_eintr([&] { return ::waitpid(child, &status, 0); }) == child && status == 0;
}

int unknown_command(App& app, const std::string& name) {
  std::vector<std::string_view> names;
  for (const Subcommand& command : kCommands) names.push_back(command.name);
  names.push_back("help");
  const std::string near(nearest(name, names));
  return app.fail(usage_error("unknown command", name,
                              near.empty() ? "see pier --help" : "did you mean pier " + near + "?")
                      .error());
}

// The man page where someone can page through it, else --help.
int show_help(App& app, std::string name) {
  if (name.starts_with("pier-")) name.erase(0, std::string_view("pier-").size());
  if (name != "pier" && !is_command(name)) return unknown_command(app, name);
  const std::string page = name == "pier" ? name : "pier-" + name;
  std::signal(SIGPIPE, SIG_DFL);  // an ignored signal stays ignored in what is run
  if (app.out.terminal && has_man_page(page)) ::execlp("man", "man", page.c_str(), nullptr);
  if (name != "pier") return cannot_run(app, become(name, {name == "nc" ? "-h" : "--help"}));
  std::signal(SIGPIPE, SIG_IGN);
  Writer out(STDOUT_FILENO);
  out.put(help_text(kPier, app.out.width));
  return app.finish(out, kExitYes);
}

// What is left when the first word was no command.
int run(App& app) {
  const auto& words = app.args.operands;
  if (words.empty()) return app.fail(Error{ErrorKind::usage, "no command given", {}, 0, "see pier --help"});
  if (words[0] != "help" && is_command(words[0]))
    return app.fail(usage_error("options before the command", words[0],
                                "they belong after it, as in pier " + words[0] + " --verbose")
                        .error());
  if (words[0] != "help") return unknown_command(app, words[0]);
  if (words.size() > 2)
    return app.fail(usage_error("help", words[2], "only one command is described at a time").error());
  return show_help(app, words.size() == 2 ? words[1] : "pier");
}

}  // namespace
}  // namespace pier

int main(int argc, char** argv) {
  using namespace pier;
  const std::string first = argc > 1 ? argv[1] : "";
  if (is_command(first)) {
    const Parsed none;
    // Neither signals nor descriptors are touched on the way: the command does as if it had been called
    // itself.
    const Error error = become(first, {argv + 2, argv + argc});
    return cannot_run(App{.command = kPier, .args = none, .out = {}, .err = {}}, error);
  }
  // The words after an unknown command are not options of ours.
  const bool named = !first.empty() && first[0] != '-' && first != "help";
  return run_app(named ? 2 : argc, argv, kPier, run);
}
