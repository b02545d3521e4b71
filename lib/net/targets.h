// Sets of hosts: the words of a command line turned into a set of addresses.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "net/address_set.h"
#include "net/target_grammar.h"

namespace pier {

// Reads the lists that words may name: `@FILE`, and `-` for standard input, which can be read once.
class TargetLists {
 public:
  // `stdin_fd` is not owned. `on_terminal` is called before reading a list from it when it is a terminal.
  TargetLists(int stdin_fd, std::function<void()> on_terminal)
      : stdin_fd_(stdin_fd), on_terminal_(std::move(on_terminal)) {}

  // The words of the target grammar, or of a list, added up. Errors: usage for malformed text, with the file
  // and line it stands in; local for a file that can't be read.
  [[nodiscard]] Result<TargetSpec> read(std::span<const std::string> words);

 private:
  [[nodiscard]] Result<void> read_one(const std::string& word, TargetSpec& into);

  int stdin_fd_;
  bool stdin_read_ = false;
  std::function<void()> on_terminal_;
};

// Looks one name up.
using NameLookup = std::function<Result<std::vector<IpAddress>>(const std::string& name)>;

// Addresses, each once, and what the user called them. A value.
class TargetSet {
 public:
  TargetSet() = default;
  TargetSet(AddressSet addresses, std::map<IpAddress, std::string> names)
      : addresses_(std::move(addresses)), names_(std::move(names)) {}
  // Looks up every name of both and keeps all their addresses; those of `excluded` win. Where several names
  // have one address, it goes by the first. Fails with the lookup's error as soon as one name does: a list is
  // never shortened silently.
  [[nodiscard]] static Result<TargetSet> make(const TargetSpec& wanted, const TargetSpec& excluded,
                                              const NameLookup& lookup);

  [[nodiscard]] const AddressSet& addresses() const { return addresses_; }
  // Takes these out. How many of them were in it.
  Uint128 leave_out(const AddressSet& set);
  [[nodiscard]] const std::map<IpAddress, std::string>& names() const { return names_; }
  // The name it was given by, or the address as text.
  [[nodiscard]] std::string host_of(const IpAddress& address) const;

 private:
  AddressSet addresses_;
  std::map<IpAddress, std::string> names_;
};

}  // namespace pier
