#include <gtest/gtest.h>

#include "cli/flags.h"

namespace pier {
namespace {

constexpr Flag kFlags[] = {
    {.name = "keep-open", .letter = 'k', .group = "Serving", .brief = "serve one client after another"},
    {.name = "accept-timeout",
     .value = "D",
     .kind = ValueKind::duration,
     .group = "Serving",
     .brief =
         "end when nobody has come after D, which is counted from the moment the port is open to others"},
    kJsonFlag,
};
constexpr Example kExamples[] = {{"pier test 80", "a first example"}};
constexpr std::string_view kForms[] = {"[OPTIONS] PORT", ""};
constexpr ExitNote kExits[] = {{"1", "in our own words"}, {"127", "no such program"}};
constexpr Command kCommand{.name = "pier-test",
                           .brief = "stand in for a command",
                           .forms = kForms,
                           .examples = kExamples,
                           .flags = kFlags,
                           .exits = kExits};

TEST(Help, LeadsWithExamplesAndHasEveryPart) {
  const std::string text = help_text(kCommand);
  std::size_t last = 0;
  for (const char* part :
       {"pier-test: stand in for a command\n", "\nExamples:\n  pier test 80\n      a first example\n",
        "\nUsage:\n  pier-test [OPTIONS] PORT\n  pier-test\n", "\nServing:\n  -k, --keep-open",
        "      --accept-timeout D  end when", "\nOutput:\n", "--json", "\nGeneral:\n  -q, --quiet",
        "-h, --help", "--version", "\nExit codes:\n", "1      in our own words", "127    no such program",
        "128+N  "}) {
    const std::size_t at = text.find(part, last);
    ASSERT_NE(at, std::string::npos) << part << "\nin order in:\n" << text;
    last = at;
  }
}

TEST(Help, FitsTheWidth) {
  for (const unsigned width : {60u, 80u, 120u}) {
    const std::string text = help_text(kCommand, width);
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = text.find('\n', begin);
      EXPECT_LE(end - begin, width) << text.substr(begin, end - begin);
      begin = end + 1;
    }
  }
}

}  // namespace
}  // namespace pier
