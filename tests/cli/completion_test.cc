#include <gtest/gtest.h>

#include "cli/flags.h"
#include "cli/table.h"

namespace pier {
namespace {

constexpr Flag kFlags[] = {
    {.name = "keep-open", .letter = 'k', .group = "G", .brief = "it's [so]: open"},
    {.name = "send", .value = "FILE", .kind = ValueKind::file, .group = "G", .brief = "a file"},
    {.name = "exclude",
     .letter = 'x',
     .value = "SET",
     .kind = ValueKind::text,
     .group = "G",
     .brief = "leave out",
     .repeats = true},
};
constexpr std::string_view kForms[] = {"WORD"};
constexpr Command kCommand{.name = "pier-test",
                           .brief = "test",
                           .forms = kForms,
                           .examples = {},
                           .flags = kFlags,
                           .operand = ValueKind::host};

bool has(const std::string& script, const std::string& text) {
  return script.find(text) != std::string::npos;
}

TEST(Completion, FlagLinesHaveEveryFlagAndNothingElse) {
  EXPECT_EQ(flag_lines(kCommand),
            "--keep-open\t-k\t\n--send\t\tFILE\n--exclude\t-x\tSET\n--quiet\t-q\t\n--verbose\t-v\t\n"
            "--color\t\tWHEN\n--help\t-h\t\n--version\t\t\n");
}

TEST(Completion, BashOffersOptionsFilesAndChoices) {
  const std::string script = completion_script(Shell::bash, kCommand);
  EXPECT_TRUE(has(script, "'--keep-open -k --send --exclude -x --quiet"));
  EXPECT_TRUE(has(script, "--send) compopt -o filenames"));
  EXPECT_TRUE(has(script, "--exclude|-x) return ;;"));
  EXPECT_TRUE(has(script, "--color) mapfile -t COMPREPLY < <(compgen -W 'auto always never'"));
  EXPECT_TRUE(has(script, "compgen -A hostname"));
  EXPECT_TRUE(has(script, "complete -F _pier_test pier-test\n"));
}

TEST(Completion, ZshQuotesWhatItsSpecsTreatSpecially) {
  const std::string script = completion_script(Shell::zsh, kCommand);
  EXPECT_TRUE(script.starts_with("#compdef pier-test\n"));
  EXPECT_TRUE(has(script, R"('(-k --keep-open)--keep-open[it'\''s \[so\]\: open]')"));
  EXPECT_TRUE(has(script, "'--send=[a file]:FILE:_files'"));
  EXPECT_TRUE(has(script, "'*-x+[leave out]:SET: '"));
  EXPECT_TRUE(has(script, "'*:operand:_hosts'"));
}

TEST(Completion, FishQuotesAndTellsWhatTakesAValue) {
  const std::string script = completion_script(Shell::fish, kCommand);
  EXPECT_TRUE(has(script, R"(complete -c pier-test -s k -l keep-open -d 'it\'s [so]: open')"));
  EXPECT_TRUE(has(script, "-l send -d 'a file' -r -F\n"));
  EXPECT_TRUE(has(script, "-s x -l exclude -d 'leave out' -x\n"));
  EXPECT_TRUE(has(script, "-l color -d 'colours: auto, always or never' -x -a 'auto always never'"));
}

}  // namespace
}  // namespace pier
