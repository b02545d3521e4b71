#include "cli/app.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <new>
#include <stdexcept>

#include "base/fd.h"
#include "out/writer.h"

namespace pier {
namespace {

constexpr std::string_view kForms[] = {"WORD"};
std::vector<std::string> libraries() {
  return {"OpenSSL 3.0.0"};
}
constexpr Command kCommand{.name = "pier-test",
                           .brief = "test",
                           .forms = kForms,
                           .examples = {},
                           .flags = {},
                           .libraries = libraries};

// Runs a command in a process of its own, as each of these is: its code is the process's, its stderr is what
// a death test looks at. stdout goes to stderr, so that it can be looked at too.
[[noreturn]] void run_as_process(std::vector<std::string> words, int (*run)(App&)) {
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
  words.insert(words.begin(), "pier-test");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  std::_Exit(run_app(static_cast<int>(arguments.size()), arguments.data(), kCommand, run));
}

int say_everything(App& app) {
  app.note("a note");
  app.detail("a detail");
  app.error("an error\nof two lines");
  return 7;
}

using testing::ExitedWithCode;

TEST(AppDeathTest, NotesAndErrorsByVerbosity) {
  EXPECT_EXIT(run_as_process({}, say_everything), ExitedWithCode(7),
              "^a note\npier-test: an error\\\\x0aof two lines\n$");
  EXPECT_EXIT(run_as_process({"-v"}, say_everything), ExitedWithCode(7), "^a note\na detail\npier-test: an");
  EXPECT_EXIT(run_as_process({"-q"}, say_everything), ExitedWithCode(7), "^pier-test: an error");
  EXPECT_EXIT(run_as_process({"-q", "-v"}, say_everything), ExitedWithCode(7), "^pier-test: an error");
}

TEST(AppDeathTest, AnErrorsKindIsTheExitCode) {
  const auto fails = []<ErrorKind kind>() {
    return +[](App& app) { return app.fail(Error{kind, "connect", "db:1", 0, "no luck"}); };
  };
  const char* const line = "^pier-test: connect db:1: no luck\n$";
  EXPECT_EXIT(run_as_process({}, fails.operator()<ErrorKind::usage>()), ExitedWithCode(2), line);
  EXPECT_EXIT(run_as_process({}, fails.operator()<ErrorKind::local>()), ExitedWithCode(2), line);
  EXPECT_EXIT(run_as_process({}, fails.operator()<ErrorKind::failed>()), ExitedWithCode(1), line);
  EXPECT_EXIT(run_as_process({}, fails.operator()<ErrorKind::unknown>()), ExitedWithCode(3), line);
  EXPECT_EXIT(run_as_process({}, fails.operator()<ErrorKind::deadline>()), ExitedWithCode(124), line);
}

TEST(AppDeathTest, ABugIsOneLineAndExitTwo) {
  EXPECT_EXIT(run_as_process({}, [](App&) -> int { throw std::runtime_error("broken\npromise"); }),
              ExitedWithCode(2), "^pier-test: internal error: broken\\\\x0apromise\n$");
  EXPECT_EXIT(run_as_process({}, [](App&) -> int { throw std::bad_alloc(); }), ExitedWithCode(2),
              "^pier-test: out of memory\n$");
}

TEST(AppDeathTest, WrongWordsAreOneLineAndNothingRuns) {
  const auto never = [](App&) -> int { std::abort(); };
  EXPECT_EXIT(run_as_process({"--bogus"}, never), ExitedWithCode(2),
              "^pier-test: unknown option '--bogus': see pier-test --help\n$");
  EXPECT_EXIT(run_as_process({"--version"}, never), ExitedWithCode(0),
              "^pier-test [0-9.]+\nfmt .*OpenSSL 3.0.0\n$");
  EXPECT_EXIT(run_as_process({"x", "-h"}, never), ExitedWithCode(0), "^pier-test: test\n\nUsage:\n");
}

TEST(AppDeathTest, FinishKeepsTheCodeUnlessOutputFailed) {
  EXPECT_EXIT(run_as_process({},
                             [](App& app) {
                               Writer out(STDOUT_FILENO);
                               out.line("text");
                               return app.finish(out, 3);
                             }),
              ExitedWithCode(3), "^text\n$");
  EXPECT_EXIT(run_as_process({},
                             [](App& app) {
                               Fd full(::open("/dev/full", O_WRONLY));
                               Writer out(full.get());
                               out.line("text");
                               return app.finish(out, 0);
                             }),
              ExitedWithCode(2), "^pier-test: write standard output: no space left on device\n$");
  EXPECT_EXIT(run_as_process({},
                             [](App& app) {
                               int ends[2];
                               if (::pipe(ends) != 0) return 99;
                               Fd read_end(ends[0]), write_end(ends[1]);
                               read_end.reset();
                               Writer out(write_end.get());
                               out.line("text");
                               return app.finish(out, 0);
                             }),
              ExitedWithCode(141), "^$");
}

TEST(AppDeathTest, ClosedDescriptorsStandForNothing) {
  const auto look = [](App& app) {
    char c = 0;
    const bool empty_input = ::read(STDIN_FILENO, &c, 1) == 0;
    const bool output = ::write(STDOUT_FILENO, "x", 1) == 1;
    const Fd next(::open("/dev/null", O_RDONLY));  // must not become descriptor 0 or 1
    return app.stdin_closed && app.stdout_closed && empty_input && output && next.get() > 2 ? 0 : 1;
  };
  const auto closed = [&] {
    Fd(STDIN_FILENO).reset();
    Fd(STDOUT_FILENO).reset();
    char name[] = "pier-test";
    char* words[] = {name};
    std::_Exit(run_app(1, words, kCommand, look));
  };
  EXPECT_EXIT(closed(), ExitedWithCode(0), "^$");
}

TEST(AppDeathTest, ColoursAreAsWished) {
  const auto red = [](App& app) {
    app.note(app.err.red("x"));
    return 0;
  };
  EXPECT_EXIT(run_as_process({"--color", "always"}, red), ExitedWithCode(0), "^\x1b\\[31mx\x1b\\[0m\n$");
  EXPECT_EXIT(run_as_process({"--color=never"}, red), ExitedWithCode(0), "^x\n$");
  EXPECT_EXIT(run_as_process({}, red), ExitedWithCode(0), "^x\n$");
}

}  // namespace
}  // namespace pier
