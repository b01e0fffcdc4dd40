#include "worker/train/checkpoint.h"

#include <fcntl.h>
#include <torch/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "experiments/error.h"
#include "worker/train/checkpoint_header.h"

namespace occam {
namespace {

namespace fs = std::filesystem;

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

CheckpointPayload payload_of(const std::vector<torch::Tensor>& parts) {
  CheckpointPayload payload;
  for (const torch::Tensor& part : parts)
    payload.emplace_back(static_cast<const std::byte*>(part.const_data_ptr()), part.nbytes());
  return payload;
}

std::optional<TrainingState> load(const fs::path& path, const std::string& trial) {
  std::ifstream file(path, std::ios::binary);
  std::string line;
  if (!file || !std::getline(file, line)) return std::nullopt;
  std::error_code gone;
  const auto payload_bytes = static_cast<std::int64_t>(fs::file_size(path, gone)) -
                             static_cast<std::int64_t>(line.size()) - 1;
  const auto read = read_checkpoint_line(line, payload_bytes);
  if (!read || read->header.trial != trial) return std::nullopt;
  const CheckpointHeader& header = read->header;
  std::vector<torch::Tensor> parts;
  for (const std::int64_t size : {header.weights, header.weights, header.statistics}) {
    parts.push_back(torch::empty({size}, torch::kFloat32));
    file.read(static_cast<char*>(parts.back().data_ptr()),
              static_cast<std::streamsize>(parts.back().nbytes()));
  }
  if (!file || !read->is_of(payload_of(parts))) return std::nullopt;
  return TrainingState{header.step,
                       parts[0],
                       parts[1],
                       parts[2],
                       header.loss_sum,
                       header.accuracy_sum,
                       header.tail_loss_sum,
                       header.tail_accuracy_sum};
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
  const CheckpointHeader header{trial_,
                                lease,
                                state.step,
                                state.loss_sum,
                                state.accuracy_sum,
                                state.tail_loss_sum,
                                state.tail_accuracy_sum,
                                parts[0].numel(),
                                parts[2].numel()};
  const std::string line = checkpoint_line(header, payload_of(parts));
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
