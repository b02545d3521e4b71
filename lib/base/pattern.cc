#include "base/pattern.h"

namespace pier {

Pattern::Compiled::~Compiled() {
  if (valid) ::regfree(&regex);
}

Result<Pattern> Pattern::compile(const std::string& text, std::string_view what, Mode mode) {
  auto compiled = std::make_unique<Compiled>();
  const int failed = ::regcomp(&compiled->regex, text.c_str(),
                               REG_EXTENDED | REG_NOSUB | (mode == Mode::any_case ? REG_ICASE : REG_NEWLINE));
  if (failed != 0) {
    char why[128];
    ::regerror(failed, &compiled->regex, why, sizeof why);
    return usage_error(what, text, std::string("not a regular expression: ") + why);
  }
  compiled->valid = true;
  return Pattern(std::move(compiled));
}

bool Pattern::matches(std::string_view text) const {
  // REG_STARTEND takes the end from here, so that the text needs no NUL behind it.
  regmatch_t whole{.rm_so = 0, .rm_eo = static_cast<regoff_t>(text.size())};
  return ::regexec(&compiled_->regex, text.data(), 0, &whole, REG_STARTEND) == 0;
}

}  // namespace pier
