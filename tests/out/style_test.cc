#include "out/style.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/ioctl.h>

#include <cstdlib>
#include <optional>

#include "base/fd.h"

namespace pier {
namespace {

// A variable of the environment for the length of a test.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    if (value != nullptr)
      ::setenv(name, value, 1);
    else
      ::unsetenv(name);
  }
  ~Variable() {
    if (old_)
      ::setenv(name_, old_->c_str(), 1);
    else
      ::unsetenv(name_);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
};

class StyleOf : public testing::Test {
 protected:
  StyleOf() {
    int host = -1, terminal = -1;
    const winsize size{.ws_row = 24, .ws_col = 97, .ws_xpixel = 0, .ws_ypixel = 0};
    if (::openpty(&host, &terminal, nullptr, nullptr, &size) != 0) return;
    host_ = Fd(host);
    terminal_ = Fd(terminal);
    null_ = Fd(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  }

  Variable no_color_{"NO_COLOR", nullptr};
  Variable term_{"TERM", "xterm"};
  Fd host_, terminal_, null_;
};

TEST_F(StyleOf, ATerminalHasColoursAndAWidth) {
  ASSERT_TRUE(terminal_.valid());
  const Style style = Style::of(terminal_.get());
  EXPECT_TRUE(style.terminal);
  EXPECT_TRUE(style.color);
  EXPECT_TRUE(style.redraws);
  EXPECT_EQ(style.width, 97u);
  EXPECT_EQ(style.red("x"), "\x1b[31mx\x1b[0m");
}

TEST_F(StyleOf, APipeOrFileHasNone) {
  const Style style = Style::of(null_.get());
  EXPECT_FALSE(style.terminal);
  EXPECT_FALSE(style.color);
  EXPECT_FALSE(style.redraws);
  EXPECT_EQ(style.width, 80u);
  EXPECT_EQ(style.bold("x"), "x");
  EXPECT_TRUE(Style::of(null_.get(), ColorWish::always).color);
}

TEST_F(StyleOf, TheEnvironmentTurnsColoursOffUnlessTheUserWantsThem) {
  ASSERT_TRUE(terminal_.valid());
  {
    const Variable off("NO_COLOR", "1");
    EXPECT_FALSE(Style::of(terminal_.get()).color);
    EXPECT_TRUE(Style::of(terminal_.get()).redraws);
    EXPECT_TRUE(Style::of(terminal_.get(), ColorWish::always).color);
  }
  {
    const Variable empty("NO_COLOR", "");  // as no-color.org has it: only a value counts
    EXPECT_TRUE(Style::of(terminal_.get()).color);
  }
  const Variable dumb("TERM", "dumb");
  EXPECT_FALSE(Style::of(terminal_.get()).color);
  EXPECT_FALSE(Style::of(terminal_.get()).redraws);
  EXPECT_TRUE(Style::of(terminal_.get(), ColorWish::always).color);
}

TEST_F(StyleOf, NeverMeansNever) {
  ASSERT_TRUE(terminal_.valid());
  EXPECT_FALSE(Style::of(terminal_.get(), ColorWish::never).color);
}

}  // namespace
}  // namespace pier
