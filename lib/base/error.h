// Expected failures as values: what was attempted, on what, and why it failed.
//
// A function that can fail in a way its caller must handle returns Result<T>; exceptions are left for bugs.
// The message of an Error is the one line a user reads after the program's name.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace pier {

// What kind of failure it is. Each kind is one exit code (cli/exit_code.h).
enum class ErrorKind {
  usage,       // the words given do not fit: exit 2
  local,       // a fault of this host: file, permission, descriptor: exit 2
  failed,      // the answer is no: refused, reset, does not resolve: exit 1
  unknown,     // cannot tell: filtered, hidden: exit 3
  deadline,    // a deadline the user set has passed: exit 124
  cannot_run,  // the program to run is there, but can't be: exit 126
  not_found,   // the program to run is not there: exit 127
};

struct Error {
  ErrorKind kind = ErrorKind::failed;
  std::string op;       // the call or action: "connect", "bind", "--timeout"
  std::string subject;  // what it was done to: "10.0.0.1:80"; may be empty
  int code = 0;         // errno, or 0 where no system call failed
  std::string why;      // in place of the text of `code` when not empty

  // "connect 10.0.0.1:80: connection refused". One line, without the program's name and a line end.
  [[nodiscard]] std::string message() const;
};

template <class T>
using Result = std::expected<T, Error>;

// The text of an errno value as it stands inside a sentence: "connection refused".
[[nodiscard]] std::string errno_text(int code);

// Errors of the kinds above, ready to be returned from a function with a Result.
[[nodiscard]] std::unexpected<Error> system_error(std::string_view op, std::string_view subject, int code,
                                                  ErrorKind kind = ErrorKind::failed);
[[nodiscard]] std::unexpected<Error> fail(ErrorKind kind, std::string_view op, std::string_view subject,
                                          std::string_view why);
// Malformed text: the message is `what 'text': why`, as in "port '80abc': not a number from 0 to 65535".
[[nodiscard]] std::unexpected<Error> usage_error(std::string_view what, std::string_view text,
                                                 std::string_view why);

// The text in single quotes, with control and non-UTF-8 bytes shown as \xNN, so that an error stays one line.
[[nodiscard]] std::string quoted(std::string_view text);

}  // namespace pier
