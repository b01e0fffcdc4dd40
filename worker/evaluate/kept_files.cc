#include "worker/evaluate/kept_files.h"

#include <ATen/ATen.h>
#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "experiments/error.h"
#include "experiments/number.h"
#include "worker/evaluate/npy.h"

namespace occam {
namespace {

namespace fs = std::filesystem;

constexpr Features kKeptFeatures[] = {Features::pool, Features::embed, Features::logit};

template <class Extracted>
auto& tensor_of(Extracted& extracted, Features features) {
  switch (features) {
    case Features::pool:
      return extracted.pool;
    case Features::embed:
      return extracted.embed;
    case Features::logit:
      return extracted.logit;
    case Features::pixels:
      break;
  }
  throw std::logic_error("pixels are not kept");
}

Kept::File facts_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(path.string() + ": cannot be read: " + std::strerror(errno));
  XXH3_state_t* state = XXH3_createState();
  XXH3_64bits_reset(state);
  std::vector<char> buffer(1 << 20);
  std::int64_t bytes = 0;
  while (file.read(buffer.data(), static_cast<std::streamsize>(buffer.size())), file.gcount() > 0) {
    XXH3_64bits_update(state, buffer.data(), static_cast<std::size_t>(file.gcount()));
    bytes += file.gcount();
  }
  const std::uint64_t digest = XXH3_64bits_digest(state);
  XXH3_freeState(state);
  return {bytes, hex(digest)};
}

void write_text(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) throw Error(path.string() + ": cannot be written: " + std::strerror(errno));
}

// A folder that is filled under another name and then takes its own.
class NewFolder {
 public:
  explicit NewFolder(fs::path folder)
      : folder_(std::move(folder)),
        partial_(folder_.string() + ".partial." + std::to_string(getpid())) {
    std::error_code problem;
    fs::remove_all(partial_, problem);
    fs::create_directories(partial_, problem);
    if (problem) throw Error(partial_.string() + ": cannot be made: " + problem.message());
  }
  ~NewFolder() {
    std::error_code ignored;
    fs::remove_all(partial_, ignored);
  }
  NewFolder(const NewFolder&) = delete;
  fs::path operator/(const std::string& name) const { return partial_ / name; }
  void take_its_name() {
    std::error_code problem;
    fs::remove_all(folder_, problem);
    fs::rename(partial_, folder_, problem);
    if (problem) throw Error(folder_.string() + ": cannot be written: " + problem.message());
  }

 private:
  fs::path folder_, partial_;
};

// Writes tensors and notes what a reader will check.
class Writer {
 public:
  Writer(const NewFolder& folder, Kept& manifest) : folder_(folder), manifest_(manifest) {}
  void write(const std::string& name, const torch::Tensor& tensor) {
    write_npy(folder_ / name, tensor);
    manifest_.files[name] = facts_of(folder_ / name);
  }
  void write_features(const std::string& part, const ExtractedFeatures& extracted,
                      std::vector<Features>& kept) {
    for (Features features : kKeptFeatures)
      if (const torch::Tensor& tensor = tensor_of(extracted, features); tensor.defined()) {
        write(kept_file(part, features), tensor);
        kept.push_back(features);
      }
  }

 private:
  const NewFolder& folder_;
  Kept& manifest_;
};

template <class Number>
torch::Tensor tensor_of_values(const std::vector<Number>& values, torch::ScalarType type) {
  torch::Tensor made = at::empty({static_cast<std::int64_t>(values.size())}, type);
  std::copy(values.begin(), values.end(), made.mutable_data_ptr<Number>());
  return made;
}

template <class Number>
std::vector<Number> values_of_tensor(const torch::Tensor& tensor) {
  const auto* first = tensor.const_data_ptr<Number>();
  return {first, first + tensor.numel()};
}

}  // namespace

void write_kept(const fs::path& folder, const KeptTraining& training, const TrialFeatures& features,
                const OneClassData& data, Network* network) {
  NewFolder made(folder);
  Kept manifest{training.trial,
                training.data,
                training.build,
                training.train_seconds,
                training.steps,
                training.collapsed,
                {},
                {},
                {},
                {}};
  Writer writer(made, manifest);
  manifest.train.rows = manifest.train.of = features.train.pool.size(0);
  writer.write_features("train", features.train, manifest.train.features);
  for (const Split split : {Split::test, Split::validation}) {
    const HeldOutFeatures& held = features.of(split);
    Kept::Part& part = split == Split::test ? manifest.test : manifest.validation;
    const std::string name = to_string(split);
    part.rows = static_cast<std::int64_t>(held.rows.size());
    part.of =
        static_cast<std::int64_t>((split == Split::test ? data.test : data.validation).rows.size());
    if (part.rows == 0) continue;
    writer.write(name + ".is_outlier.npy", tensor_of_values(held.is_outlier, torch::kUInt8));
    writer.write(name + ".rows.npy", tensor_of_values(held.rows, torch::kInt64));
    writer.write_features(name, held.network, part.features);
  }
  if (network) {
    writer.write(kWeightsFile, network->flat());
    writer.write("statistics.npy", network->statistics());
  }
  write_text(made / kKeptManifest, to_json(manifest).dump(1) + "\n");
  made.take_its_name();
}

KeptFeatures read_kept(const fs::path& folder, const std::vector<EvaluationRequest>& requests,
                       torch::Device device) {
  const auto refuse = [](const fs::path& path, const std::string& why) {
    throw Error(path.string() + ": " + why);
  };
  KeptFeatures kept;
  try {
    std::ifstream file(folder / kKeptManifest);
    if (!file) throw Error(std::strerror(errno));
    kept.manifest = kept_from_json(nlohmann::json::parse(file));
  } catch (const std::exception& problem) {
    refuse(folder / kKeptManifest, std::string("cannot be read: ") + problem.what());
  }
  for (const std::string& name : files_for(requests)) {
    const auto written = kept.manifest.files.find(name);
    if (written == kept.manifest.files.end() || !fs::exists(folder / name))
      refuse(folder / name, "is missing");
    const Kept::File found = facts_of(folder / name);
    if (found.bytes != written->second.bytes || found.xxh3 != written->second.xxh3)
      refuse(folder / name, "is damaged: its bytes are not those that were written");
  }
  const auto read = [&](const std::string& part, Features features, ExtractedFeatures& into) {
    torch::Tensor& tensor = tensor_of(into, features);
    if (!tensor.defined()) tensor = read_npy(folder / kept_file(part, features)).to(device);
  };
  for (const EvaluationRequest& request : requests) {
    const std::string name = to_string(request.split);
    HeldOutFeatures& held = kept.features.of(request.split);
    if (held.rows.empty()) {
      held.is_outlier =
          values_of_tensor<std::uint8_t>(read_npy(folder / (name + ".is_outlier.npy")));
      held.rows = values_of_tensor<std::int64_t>(read_npy(folder / (name + ".rows.npy")));
    }
    if (request.features == Features::pixels) continue;
    read(name, request.features, held.network);
    if (request.features != Features::logit) read("train", request.features, kept.features.train);
  }
  return kept;
}

void write_scores(const fs::path& folder, const TrialFeatures& features,
                  const std::vector<ScoredRequest>& answers) {
  std::error_code problem;
  fs::create_directories(folder, problem);
  if (problem) throw Error(folder.string() + ": cannot be made: " + problem.message());
  // One column a classifier, whichever split it scores.
  std::vector<EvaluationRequest> columns;
  std::string text = "split,row,is_outlier";
  for (const ScoredRequest& answer : answers) {
    EvaluationRequest column = answer.evaluation.request;
    column.split = Split::test;
    if (std::find(columns.begin(), columns.end(), column) != columns.end()) continue;
    columns.push_back(column);
    std::string parameters = parameters_text(column);
    std::replace(parameters.begin(), parameters.end(), '"', '\'');  // as CSV quotes it
    text += ",\"" + to_string(column.features) + " " + to_string(column.classifier) +
            (parameters == "{}" ? "" : " " + parameters) + "\"";
  }
  text += "\n";
  for (const Split split : {Split::test, Split::validation}) {
    const HeldOutFeatures& held = features.of(split);
    std::vector<const ScoredRequest*> of_column(columns.size(), nullptr);
    for (const ScoredRequest& answer : answers)
      if (answer.evaluation.request.split == split) {
        EvaluationRequest column = answer.evaluation.request;
        column.split = Split::test;
        of_column[static_cast<std::size_t>(std::find(columns.begin(), columns.end(), column) -
                                           columns.begin())] = &answer;
      }
    for (std::size_t row = 0; row < held.rows.size(); ++row) {
      text += to_string(split) + "," + std::to_string(held.rows[row]) +
              (held.is_outlier[row] ? ",1" : ",0");
      for (const ScoredRequest* answer : of_column) {
        text += ',';
        if (answer && row < answer->scores.size()) text += shortest(answer->scores[row]);
      }
      text += "\n";
    }
  }
  const fs::path path = folder / kScoresFile;
  write_text(path.string() + ".partial", text);
  fs::rename(path.string() + ".partial", path, problem);
  if (problem) throw Error(path.string() + ": cannot be written: " + problem.message());
}

}  // namespace occam
