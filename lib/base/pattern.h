// A regular expression as a user types one: POSIX extended, as grep -E (regex(7)).
#pragma once

#include <regex.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace pier {

class Pattern {
 public:
  enum class Mode : unsigned char {
    any_case,  // without regard to case; the text is one line, and a line end in it a character like others
    lines,     // as grep -E: ^ and $ stand at each line's ends, and . for no line end
  };

  // A usage error quotes the text; `what` names it there: "--service".
  [[nodiscard]] static Result<Pattern> compile(const std::string& text, std::string_view what,
                                               Mode mode = Mode::any_case);

  // Whether it matches somewhere in the text.
  [[nodiscard]] bool matches(std::string_view text) const;

 private:
  // regex_t must stay where it was compiled.
  struct Compiled {
    Compiled() = default;
    Compiled(const Compiled&) = delete;
    Compiled& operator=(const Compiled&) = delete;
    ~Compiled();
    regex_t regex{};
    bool valid = false;
  };
  explicit Pattern(std::unique_ptr<Compiled> compiled) : compiled_(std::move(compiled)) {}

  std::unique_ptr<Compiled> compiled_;
};

}  // namespace pier
