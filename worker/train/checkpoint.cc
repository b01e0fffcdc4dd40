#include "worker/train/checkpoint.h"

#include <fcntl.h>
#include <torch/types.h>
#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "experiments/error.h"

namespace occam {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kFormat = 2;

class File {
 public:
  File(const fs::path& path, int flags)
      : path_(path), descriptor_(open(path.c_str(), flags, 0644)) {
    if (descriptor_ < 0) fail("cannot write");
  }
  ~File() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  File(const File&) = delete;
  void write(const void* data, std::size_t bytes) {
    const auto* at = static_cast<const char*>(data);
    while (bytes > 0) {
      const ssize_t written = ::write(descriptor_, at, bytes);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail("cannot write");
      at += written;
      bytes -= static_cast<std::size_t>(written);
    }
  }
  void sync() {
    if (fsync(descriptor_) != 0) fail("cannot write");
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(path_.string() + ": " + what + " this checkpoint: " + std::strerror(errno));
  }
  fs::path path_;
  int descriptor_;
};

// Of the header without its hash, and the payload: a step that reads wrong is damage like any.
std::uint64_t hash_of(json header, const std::vector<torch::Tensor>& parts) {
  header.erase("hash");
  const std::string line = header.dump();
  XXH3_state_t* state = XXH3_createState();
  XXH3_64bits_reset(state);
  XXH3_64bits_update(state, line.data(), line.size());
  for (const torch::Tensor& part : parts) XXH3_64bits_update(state, part.data_ptr(), part.nbytes());
  const std::uint64_t hash = XXH3_64bits_digest(state);
  XXH3_freeState(state);
  return hash;
}

std::optional<TrainingState> load(const fs::path& path, const std::string& trial) {
  std::ifstream file(path, std::ios::binary);
  std::string line;
  if (!file || !std::getline(file, line)) return std::nullopt;
  try {
    const json header = json::parse(line);
    if (header.at("format") != kFormat || header.at("trial") != trial) return std::nullopt;
    TrainingState state;
    state.step = header.at("step");
    state.loss_sum = header.at("loss_sum");
    state.accuracy_sum = header.at("accuracy_sum");
    state.tail_loss_sum = header.at("tail_loss_sum");
    state.tail_accuracy_sum = header.at("tail_accuracy_sum");
    const std::int64_t sizes[] = {header.at("weights"), header.at("weights"),
                                  header.at("statistics")};
    std::error_code gone;
    const auto payload = static_cast<std::int64_t>(fs::file_size(path, gone)) -
                         static_cast<std::int64_t>(line.size()) - 1;
    if (sizes[0] < 0 || sizes[2] < 0 || sizes[0] > payload || sizes[2] > payload ||
        4 * (2 * sizes[0] + sizes[2]) != payload)
      return std::nullopt;
    torch::Tensor* parts[] = {&state.weights, &state.velocity, &state.statistics};
    for (int i = 0; i < 3; ++i) {
      *parts[i] = torch::empty({sizes[i]}, torch::kFloat32);
      file.read(static_cast<char*>(parts[i]->data_ptr()),
                static_cast<std::streamsize>(parts[i]->nbytes()));
    }
    if (!file ||
        header.at("hash") != hash_of(header, {state.weights, state.velocity, state.statistics}))
      return std::nullopt;
    return state;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

}  // namespace

CheckpointFolder::CheckpointFolder(fs::path folder, std::string trial)
    : folder_(std::move(folder)), trial_(std::move(trial)) {}

fs::path CheckpointFolder::path(std::int64_t lease) const {
  return folder_ / (std::to_string(lease) + ".ckpt");
}

void CheckpointFolder::save(std::int64_t lease, const TrainingState& state) const {
  std::error_code problem;
  fs::create_directories(folder_, problem);
  if (problem) throw Error(folder_.string() + ": cannot make this folder: " + problem.message());
  const std::vector<torch::Tensor> parts{state.weights.cpu().contiguous(),
                                         state.velocity.cpu().contiguous(),
                                         state.statistics.cpu().contiguous()};
  json header{{"format", kFormat},
              {"trial", trial_},
              {"lease", lease},
              {"step", state.step},
              {"loss_sum", state.loss_sum},
              {"accuracy_sum", state.accuracy_sum},
              {"tail_loss_sum", state.tail_loss_sum},
              {"tail_accuracy_sum", state.tail_accuracy_sum},
              {"weights", parts[0].numel()},
              {"statistics", parts[2].numel()}};
  header["hash"] = hash_of(header, parts);
  const std::string line = header.dump() + "\n";
  const fs::path final_path = path(lease);
  const fs::path partial = final_path.string() + ".partial";
  try {
    File file(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC);
    file.write(line.data(), line.size());
    for (const torch::Tensor& part : parts) file.write(part.data_ptr(), part.nbytes());
    file.sync();
  } catch (const Error&) {
    fs::remove(partial, problem);
    throw;
  }
  fs::rename(partial, final_path, problem);
  if (problem)
    throw Error(final_path.string() + ": cannot write this checkpoint: " + problem.message());
  File(folder_, O_RDONLY | O_DIRECTORY | O_CLOEXEC).sync();
}

std::optional<TrainingState> CheckpointFolder::newest(
    const std::vector<std::int64_t>& leases) const {
  std::optional<TrainingState> best;
  for (std::int64_t lease : leases) {
    std::optional<TrainingState> state = load(path(lease), trial_);
    if (state && (!best || state->step > best->step)) best = std::move(state);
  }
  return best;
}

void CheckpointFolder::clear() const {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_, ignored)) {
    const std::string extension = entry.path().extension();
    if (extension == ".ckpt" || extension == ".partial") fs::remove(entry.path(), ignored);
  }
  fs::remove(folder_, ignored);
}

}  // namespace occam
