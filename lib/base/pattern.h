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
  // Matches without regard to case. A usage error quotes the text; `what` names it there: "--service".
  [[nodiscard]] static Result<Pattern> compile(const std::string& text, std::string_view what);

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
