// MD5 (RFC 1321) and SHA-256 (RFC 6234), for tests alone: the programs have them from a library.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/http_auth.h"

namespace pier::digests {

inline std::string padded(std::string_view text, bool big_endian) {
  std::string all(text);
  all += '\x80';
  while (all.size() % 64 != 56) all += '\0';
  const std::uint64_t bits = text.size() * 8;
  for (unsigned i = 0; i < 8; ++i) all += static_cast<char>(bits >> (8 * (big_endian ? 7 - i : i)));
  return all;
}

inline std::uint32_t word_at(std::string_view bytes, std::size_t at, bool big_endian) {
  std::uint32_t word = 0;
  for (unsigned i = 0; i < 4; ++i)
    word |= std::uint32_t{static_cast<std::uint8_t>(bytes[at + i])} << (8 * (big_endian ? 3 - i : i));
  return word;
}

template <std::size_t N>
std::string hex(const std::array<std::uint32_t, N>& words, bool big_endian) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint32_t word : words)
    for (unsigned i = 0; i < 4; ++i) {
      const unsigned byte = word >> (8 * (big_endian ? 3 - i : i)) & 0xffU;
      text += kDigits[byte >> 4U];
      text += kDigits[byte & 15U];
    }
  return text;
}

inline std::string md5(std::string_view text) {
  constexpr unsigned kTurns[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
  std::array<std::uint32_t, 4> state{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  const std::string all = padded(text, false);
  for (std::size_t block = 0; block < all.size(); block += 64) {
    auto [a, b, c, d] = state;
    for (unsigned i = 0; i < 64; ++i) {
      const unsigned round = i / 16;
      const std::uint32_t mixed = round == 0   ? (b & c) | (~b & d)
                                  : round == 1 ? (d & b) | (~d & c)
                                  : round == 2 ? b ^ c ^ d
                                               : c ^ (b | ~d);
      const unsigned index = round == 0   ? i
                             : round == 1 ? (5 * i + 1) % 16
                             : round == 2 ? (3 * i + 5) % 16
                                          : 7 * i % 16;
      const auto constant =
          static_cast<std::uint32_t>(std::floor(std::fabs(std::sin(i + 1.0)) * 4294967296.0));
      const std::uint32_t sum = a + mixed + constant + word_at(all, block + 4 * index, false);
      a = d;
      d = c;
      c = b;
      b += std::rotl(sum, static_cast<int>(kTurns[round][i % 4]));
    }
    state = {state[0] + a, state[1] + b, state[2] + c, state[3] + d};
  }
  return hex(state, false);
}

inline std::string sha256(std::string_view text) {
  // The first 32 bits of the fractions of the square and cube roots of the first primes.
  std::array<std::uint32_t, 64> constants{};
  std::array<std::uint32_t, 8> state{};
  const auto fraction = [](long double root) {
    return static_cast<std::uint32_t>((root - std::floor(root)) * 4294967296.0L);
  };
  for (unsigned prime = 2, found = 0; found < 64; ++prime) {
    bool is_prime = true;
    for (unsigned d = 2; d * d <= prime; ++d) is_prime = is_prime && prime % d != 0;
    if (!is_prime) continue;
    if (found < 8) state[found] = fraction(std::sqrt(static_cast<long double>(prime)));
    constants[found++] = fraction(std::cbrt(static_cast<long double>(prime)));
  }
  const std::string all = padded(text, true);
  for (std::size_t block = 0; block < all.size(); block += 64) {
    std::array<std::uint32_t, 64> w{};
    for (unsigned i = 0; i < 64; ++i)
      w[i] = i < 16 ? word_at(all, block + 4 * i, true)
                    : w[i - 16] + w[i - 7] +
                          (std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ w[i - 15] >> 3U) +
                          (std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ w[i - 2] >> 10U);
    auto [a, b, c, d, e, f, g, h] = state;
    for (unsigned i = 0; i < 64; ++i) {
      const std::uint32_t one = h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) +
                                ((e & f) ^ (~e & g)) + constants[i] + w[i];
      const std::uint32_t two =
          (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g;
      g = f;
      f = e;
      e = d + one;
      d = c;
      c = b;
      b = a;
      a = one + two;
    }
    state = {state[0] + a, state[1] + b, state[2] + c, state[3] + d,
             state[4] + e, state[5] + f, state[6] + g, state[7] + h};
  }
  return hex(state, true);
}

inline std::string digest(DigestAlgorithm algorithm, std::string_view text) {
  return algorithm == DigestAlgorithm::md5 ? md5(text) : sha256(text);
}

}  // namespace pier::digests
