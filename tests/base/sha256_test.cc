#include "base/sha256.h"

#include <gtest/gtest.h>

#include <string_view>

namespace pier {
namespace {

std::string digest_of(std::string_view text, std::size_t piece) {
  Sha256 digest;
  for (std::size_t at = 0; at < text.size(); at += piece)
    digest.update(std::as_bytes(std::span(text.substr(at, piece))));
  return digest.finish();
}

// The examples of FIPS 180-2, appendix B, and what sha256sum says.
TEST(Sha256, Examples) {
  const std::string million(1000000, 'a');
  for (const std::size_t piece : {1U, 3U, 63U, 64U, 65U, 1000000U}) {
    EXPECT_EQ(digest_of("", piece), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(digest_of("abc", piece), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(digest_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", piece),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    EXPECT_EQ(digest_of(million, piece), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  }
}

// Around the border where the length needs a block of its own.
TEST(Sha256, Padding) {
  EXPECT_EQ(digest_of(std::string(55, 'a'), 7),
            "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
  EXPECT_EQ(digest_of(std::string(56, 'a'), 7),
            "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a");
  EXPECT_EQ(digest_of(std::string(64, 'a'), 7),
            "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
}

}  // namespace
}  // namespace pier
