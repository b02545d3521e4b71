#include "cli/app.h"

#include <fmt/core.h>
#include <gnu/libc-version.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <new>
#include <optional>

#include "base/standard_fds.h"
#include "base/utf8.h"
#include "cli/table.h"
#include "out/writer.h"

namespace pier {
namespace {

void print_on_stderr(std::string_view text) {
  Writer err(STDERR_FILENO);
  err.put(text);
  err.flush();
}

// Foreign text may be in it, so it is shown printably: an error is one line.
void print_error(std::string_view program, std::string_view message) {
  print_on_stderr(std::string(program) + ": " + printable(message) + "\n");
}

int finish_output(std::string_view program, Writer& out, int code) {
  out.flush();
  if (out.ok()) return code;
  if (out.failure() == EPIPE) return kExitSignal + SIGPIPE;
  print_error(program, "write standard output: " + errno_text(out.failure()));
  return kExitUsage;
}

int print_on_stdout(const Command& command, std::string_view text) {
  Writer out(STDOUT_FILENO);
  out.put(text);
  return finish_output(command.name, out, kExitYes);
}

std::string version_text(const Command& command) {
  std::string text =
      fmt::format("{} {}\nfmt {}.{}.{}\n{}\nglibc {}\n", command.name, PIER_VERSION, FMT_VERSION / 10000,
                  FMT_VERSION / 100 % 100, FMT_VERSION % 100, parser_version(), ::gnu_get_libc_version());
  if (command.libraries != nullptr)
    for (const std::string& library : command.libraries()) text += library + "\n";
  return text;
}

ColorWish wish_of(const Parsed& args) {
  const auto when = args.text("color");
  if (when == "always") return ColorWish::always;
  return when == "never" ? ColorWish::never : ColorWish::automatic;
}

// Two options for the build, not for people, and so not in --help: `--print-flags`, and `--print-completion
// bash|zsh|fish`. They count only as the whole of the command line.
std::optional<std::string> answer_for_build(const Command& command, std::span<const char* const> words) {
  if (words.size() == 1 && words[0] == std::string_view("--print-flags")) return flag_lines(command);
  if (words.size() != 2 || words[0] != std::string_view("--print-completion")) return std::nullopt;
  const std::string_view shell = words[1];
  if (shell == "bash") return completion_script(Shell::bash, command);
  if (shell == "zsh") return completion_script(Shell::zsh, command);
  if (shell == "fish") return completion_script(Shell::fish, command);
  return std::nullopt;
}

int parse_and_run(const Command& command, std::span<const char* const> words, bool stdin_closed,
                  bool stdout_closed, int (*run)(App&)) {
  if (const auto answer = answer_for_build(command, words)) return print_on_stdout(command, *answer);
  const auto args = parse(command, words);
  if (!args) {
    print_error(command.name, args.error().message());
    return exit_code_of(args.error());
  }
  const ColorWish wish = wish_of(*args);
  App app{.command = command,
          .args = *args,
          .out = Style::of(STDOUT_FILENO, wish),
          .err = Style::of(STDERR_FILENO, wish),
          .quiet = args->has("quiet"),
          .verbosity = args->count("verbose"),
          .stdin_closed = stdin_closed,
          .stdout_closed = stdout_closed};
  if (args->has("help")) return print_on_stdout(command, help_text(command, app.out.width));
  if (args->has("version")) return print_on_stdout(command, version_text(command));
  return run(app);
}

}  // namespace

void App::note(std::string_view line) const {
  if (!quiet) print_on_stderr(std::string(line) + "\n");
}

void App::detail(std::string_view line) const {
  if (verbosity > 0) note(line);
}

void App::error(std::string_view line) const {
  print_error(command.name, line);
}

int App::fail(const Error& failure) const {
  error(failure.message());
  return exit_code_of(failure);
}

int App::finish(Writer& writer, int code) const {
  return finish_output(command.name, writer, code);
}

int run_app(int argc, char** argv, const Command& command, int (*run)(App&)) {
  const bool stdin_closed = occupy(STDIN_FILENO);
  const bool stdout_closed = occupy(STDOUT_FILENO);
  (void)occupy(STDERR_FILENO);
  std::signal(SIGPIPE, SIG_IGN);
  const std::span<const char* const> all(argv, static_cast<std::size_t>(argc));
  try {
    return parse_and_run(command, all.subspan(all.empty() ? 0 : 1), stdin_closed, stdout_closed, run);
  } catch (const std::bad_alloc&) {
    print_error(command.name, "out of memory");
  } catch (const std::exception& bug) {
    print_error(command.name, std::string("internal error: ") + bug.what());
  }
  return kExitUsage;
}

}  // namespace pier
