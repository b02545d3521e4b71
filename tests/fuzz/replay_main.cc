// Runs a fuzz harness without libFuzzer: every seed file of the folders given, and a fixed number of
// mutations of each. The same seeds give the same inputs on every machine. Exit 1 when there was no seed to
// run.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Bytes = std::vector<std::uint8_t>;

// Enough to reach every byte of a short seed; all harnesses together stay within seconds when sanitized.
constexpr int kMutationsPerSeed = 200;

std::vector<Bytes> read_seeds(int argc, char** argv) {
  std::vector<std::filesystem::path> paths;
  for (int i = 1; i < argc; ++i) {
    std::error_code missing;
    for (const auto& entry : std::filesystem::directory_iterator(argv[i], missing))
      if (entry.is_regular_file()) paths.push_back(entry.path());
  }
  std::ranges::sort(paths);
  std::vector<Bytes> seeds;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return seeds;
}

// In a buffer of exactly its size, so that reading one byte too far is seen.
void run(const Bytes& input) {
  const Bytes exact(input.begin(), input.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

class Mutator {
 public:
  explicit Mutator(const std::vector<Bytes>& seeds) : seeds_(seeds) {}

  Bytes mutate(Bytes bytes) {
    for (std::size_t changes = 1 + below(3); changes > 0; --changes) change(bytes);
    return bytes;
  }

 private:
  // From 0 to bound - 1. The slight bias of the remainder does not matter here; std::uniform_int_distribution
  // would differ between standard libraries.
  std::size_t below(std::size_t bound) { return bound == 0 ? 0 : random_() % bound; }

  void change(Bytes& bytes) {
    const std::size_t at = below(bytes.size());
    const auto here = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    switch (below(5)) {
      case 0:
        if (!bytes.empty()) bytes[at] ^= static_cast<std::uint8_t>(1U << below(8));
        break;
      case 1:
        bytes.resize(at);
        break;
      case 2:
        bytes.insert(here, static_cast<std::uint8_t>(random_()));
        break;
      case 3:
        if (!bytes.empty()) bytes[at] = kEdges[below(std::size(kEdges))];
        break;
      default: {  // the beginning of this one and the end of another
        const Bytes& other = seeds_[below(seeds_.size())];
        bytes.resize(at);
        bytes.insert(bytes.end(), other.begin() + static_cast<std::ptrdiff_t>(below(other.size())),
                     other.end());
      }
    }
  }

  static constexpr std::uint8_t kEdges[] = {0x00, 0x01, 0x7f, 0x80, 0xff, '\n',
                                            '\r', ' ',  '-',  '0',  '9',  ':'};
  const std::vector<Bytes>& seeds_;
  std::mt19937 random_{20240229};  // any constant: the run is the same each time
};

}  // namespace

int main(int argc, char** argv) {
  const std::vector<Bytes> seeds = read_seeds(argc, argv);
  if (seeds.empty()) {
    std::fprintf(stderr, "%s: no seed to run: give folders of seed files\n", argv[0]);
    return 1;
  }
  Mutator mutator(seeds);
  for (const Bytes& seed : seeds) {
    run(seed);
    for (int i = 0; i < kMutationsPerSeed; ++i) run(mutator.mutate(seed));
  }
  std::printf("%zu seeds, %zu mutations\n", seeds.size(), seeds.size() * kMutationsPerSeed);
  return 0;
}
