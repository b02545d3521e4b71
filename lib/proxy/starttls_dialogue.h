// What the STARTTLS dialogues have in common. Internal to proxy/.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/negotiation.h"

namespace pier {

class StarttlsDialogue : public Negotiation {
 public:
  explicit StarttlsDialogue(std::string_view protocol) : protocol_(protocol) {}
  [[nodiscard]] Result<Fed> receive(std::string_view bytes) final;

 protected:
  enum class Step : unsigned char {
    more,  // what is there is not a whole message
    next,  // a message was taken from the front of seen_
    go,    // and it was the go-ahead
  };
  // Looks at what has arrived and was not taken yet.
  [[nodiscard]] virtual Result<Step> judge() = 0;

  // The next line without its end; nothing when it is not whole.
  [[nodiscard]] std::optional<std::string> take_line();
  [[nodiscard]] std::unexpected<Error> failed(std::string_view why) const;
  // With what the server said, made fit for a line.
  [[nodiscard]] std::unexpected<Error> refused(std::string_view answer) const;

  std::string seen_;

 private:
  static constexpr std::size_t kMost = 64 * 1024;

  std::string protocol_;
  std::size_t total_ = 0;
};

// The dialogues of binary protocols (starttls_binary.cc).
[[nodiscard]] std::unique_ptr<Negotiation> make_ldap_starttls();
[[nodiscard]] std::unique_ptr<Negotiation> make_postgres_starttls();
[[nodiscard]] std::unique_ptr<Negotiation> make_mysql_starttls();

}  // namespace pier
