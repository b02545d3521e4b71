#include "scan/order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

namespace pier {
namespace {

TEST(Permutation, IsABijectionForEverySmallSize) {
  std::vector<std::uint64_t> sizes;
  for (std::uint64_t size = 1; size <= 520; ++size) sizes.push_back(size);
  for (const std::uint64_t size : {1009U, 4095U, 4096U, 4097U, 65535U, 65536U, 65537U, 104729U})
    sizes.push_back(size);
  for (const std::uint64_t size : sizes) {
    for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1}, UINT64_MAX}) {
      const Permutation order(size, seed);
      std::vector<bool> seen(size);
      for (std::uint64_t i = 0; i < size; ++i) {
        const std::uint64_t x = order.at(i);
        ASSERT_LT(x, size);
        ASSERT_FALSE(seen[x]) << x << " twice, size " << size << " seed " << seed;
        seen[x] = true;
        ASSERT_EQ(order.position_of(x), i);
      }
    }
  }
}

// An inverse that holds for arbitrary positions and arbitrary numbers is what injectivity and surjectivity
// mean, and it can be sampled where 2^32 and more cannot be listed.
TEST(Permutation, IsABijectionPast32Bits) {
  std::mt19937_64 random(11);
  const std::uint64_t sizes[] = {(std::uint64_t{1} << 32) - 1,
                                 std::uint64_t{1} << 32,
                                 (std::uint64_t{1} << 32) + 1,
                                 std::uint64_t{16777216} * 65535,
                                 std::uint64_t{1} << 63,
                                 (std::uint64_t{1} << 63) + 1,
                                 UINT64_MAX - 58,  // a prime
                                 UINT64_MAX};
  for (const std::uint64_t size : sizes) {
    const Permutation order(size, random());
    std::unordered_set<std::uint64_t> values;
    std::unordered_set<std::uint64_t> positions;
    for (int i = 0; i < 20000; ++i) {
      const std::uint64_t position = i < 1000   ? static_cast<std::uint64_t>(i)
                                     : i < 2000 ? size - 1 - static_cast<std::uint64_t>(i - 1000)
                                                : random() % size;
      const std::uint64_t x = order.at(position);
      ASSERT_LT(x, size);
      ASSERT_EQ(order.position_of(x), position);
      ASSERT_EQ(values.insert(x).second, positions.insert(position).second);
      ASSERT_EQ(order.at(order.position_of(position)), position) << "the number is nobody's";
    }
  }
}

TEST(Permutation, SeedsGiveOrders) {
  const Permutation a(100000, 1);
  const Permutation again(100000, 1);
  const Permutation b(100000, 2);
  int same = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(a.at(i), again.at(i));
    same += a.at(i) == b.at(i) ? 1 : 0;
  }
  EXPECT_LT(same, 5) << "two seeds agree in more places than chance allows";
}

// 256 hosts with 1000 ports each: no host gets a burst. A random order gives a host more than 12 of the first
// 512 probes (mean 2) about once in a million.
TEST(Permutation, SpreadsOverHosts) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Permutation order(256 * 1000, seed);
    for (const bool by_division : {true, false}) {
      std::vector<int> hits(256);
      for (std::uint64_t i = 0; i < 512; ++i) {
        const std::uint64_t x = order.at(i);
        ++hits[by_division ? x / 1000 : x % 256];
      }
      EXPECT_LE(*std::ranges::max_element(hits), 12) << "seed " << seed;
    }
  }
}

// The order is a promise: --seed, --shard on several machines and a resumed scan all rest on it.
TEST(Permutation, KeepsItsOrderAcrossVersions) {
  const Permutation order(1000, 42);
  std::vector<std::uint64_t> first;
  for (std::uint64_t i = 0; i < 8; ++i) first.push_back(order.at(i));
  EXPECT_EQ(first, (std::vector<std::uint64_t>{247, 505, 583, 283, 476, 597, 775, 44}));
}

TEST(Shard, PartsAreDisjointAndComplete) {
  for (const std::uint64_t total : {0U, 1U, 2U, 7U, 100U, 101U}) {
    for (const std::uint64_t count : {1U, 2U, 3U, 7U, 150U}) {
      std::vector<int> seen(total);
      for (std::uint64_t index = 1; index <= count; ++index) {
        const Shard shard{index, count};
        for (std::uint64_t i = 0; i < shard.size(total); ++i) ++seen.at(shard.position(i));
      }
      EXPECT_TRUE(std::ranges::all_of(seen, [](int n) { return n == 1; })) << total << " in " << count;
    }
  }
  const Shard last{3, 3};
  EXPECT_EQ(last.position(last.size(UINT64_MAX) - 1), UINT64_MAX - 1) << "must not wrap";
}

TEST(Shard, Parses) {
  EXPECT_EQ(Shard::parse("2/8")->index, 2U);
  EXPECT_EQ(Shard::parse("2/8")->count, 8U);
  for (const char* text :
       {"", "/", "0/2", "3/2", "1/0", "1", "1/", "/2", "a/2", "1/2/3", "-1/2", "automatic"}) {
    const auto shard = Shard::parse(text);
    ASSERT_FALSE(shard) << text;
    EXPECT_NE(shard.error().message().find(quoted(text)), std::string::npos);
  }
}

Result<Shard> scheduled(std::map<std::string, std::string> variables, std::string_view text = "auto") {
  return Shard::from_scheduler(text, [&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(Shard, IsWhatSlurmSaysOfTheTask) {
  for (const std::uint64_t first : {0U, 1U, 7U}) {
    for (const std::uint64_t step : {1U, 3U}) {
      for (std::uint64_t i = 0; i < 4; ++i) {
        const auto shard = scheduled({{"SLURM_ARRAY_TASK_ID", std::to_string(first + i * step)},
                                      {"SLURM_ARRAY_TASK_COUNT", "4"},
                                      {"SLURM_ARRAY_TASK_MIN", std::to_string(first)},
                                      {"SLURM_ARRAY_TASK_STEP", std::to_string(step)}});
        ASSERT_TRUE(shard);
        EXPECT_EQ(shard->index, i + 1);
        EXPECT_EQ(shard->count, 4U);
      }
    }
  }
  EXPECT_FALSE(scheduled(
      {{"SLURM_ARRAY_TASK_ID", "9"}, {"SLURM_ARRAY_TASK_COUNT", "3"}, {"SLURM_ARRAY_TASK_MIN", "1"}}));
  EXPECT_FALSE(scheduled({{"SLURM_ARRAY_TASK_ID", "1"}}));
}

TEST(Shard, WithoutTheFirstTaskThePartsOfAnArrayAreDisjointAllTheSame) {
  for (const int first : {0, 1}) {
    std::set<std::uint64_t> seen;
    for (int id = first; id < first + 5; ++id)
      seen.insert(
          scheduled({{"SLURM_ARRAY_TASK_ID", std::to_string(id)}, {"SLURM_ARRAY_TASK_COUNT", "5"}})->index);
    EXPECT_EQ(seen.size(), 5U);
  }
  EXPECT_EQ(scheduled({{"SLURM_ARRAY_TASK_ID", "2"}, {"SLURM_ARRAY_TASK_COUNT", "5"}})->index, 2U);
}

TEST(Shard, IsWhatKubernetesSaysOfThePod) {
  EXPECT_EQ(scheduled({{"JOB_COMPLETION_INDEX", "0"}, {"JOB_COMPLETIONS", "3"}})->index, 1U);
  EXPECT_EQ(scheduled({{"JOB_COMPLETION_INDEX", "2"}}, "auto/3")->index, 3U);
  EXPECT_FALSE(scheduled({{"JOB_COMPLETION_INDEX", "2"}}));
  EXPECT_FALSE(scheduled({{"JOB_COMPLETION_INDEX", "3"}}, "auto/3"));
  EXPECT_FALSE(scheduled({{"JOB_COMPLETION_INDEX", "x"}}, "auto/3"));
  EXPECT_FALSE(scheduled({}));
}

}  // namespace
}  // namespace pier
