// Changes made to bytes on their way through a relay.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace pier {

// Every LF that no CR stands before becomes CR LF (the line end of RFC 854 and its descendants). A CR LF pair
// split between two calls stays one line end.
class CrlfFilter {
 public:
  // Appends the changed bytes to `out`: at most twice as many.
  void apply(std::span<const std::byte> in, std::vector<std::byte>& out);

 private:
  bool after_cr_ = false;
};

}  // namespace pier
