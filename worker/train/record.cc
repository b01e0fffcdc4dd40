#include "worker/train/record.h"

#include <ATen/ATen.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "experiments/error.h"
#include "worker/evaluate/npy.h"
#include "worker/train/train.h"

namespace occam {

using nlohmann::json;

void record_training(const Trial& trial, const torch::Tensor& train_images,
                     const std::filesystem::path& folder) {
  std::error_code problem;
  std::filesystem::create_directories(folder, problem);
  if (problem) throw Error(folder.string() + ": cannot be made: " + problem.message());
  Network untrained(trial, torch::kCPU);
  json parameters = json::array();
  for (const Network::Parameter& one : untrained.parameters())
    parameters.push_back({{"name", one.name}, {"shape", one.value.sizes().vec()}});
  const std::filesystem::path recipe = folder / "recipe.json";
  std::ofstream(recipe) << json{
      {"trial", to_json(trial)},
      {"steps_per_epoch", budget(trial).steps_per_epoch},
      {"epochs", budget(trial).epochs},
      {"parameters",
       parameters}}.dump(1);

  std::vector<float> losses;
  TrainingHooks hooks;
  hooks.on_batch = [&](const torch::Tensor& images, const torch::Tensor& weights,
                       const torch::Tensor& loss) {
    const std::string step = std::to_string(losses.size());
    write_npy(folder / ("images." + step + ".npy"), images);
    write_npy(folder / ("weights." + step + ".npy"), weights);
    losses.push_back(loss.item<float>());
  };
  Bench bench(torch::kCPU);
  const Training training = train(trial, train_images, bench, std::nullopt, hooks);
  write_npy(folder / "losses.npy", at::tensor(losses));
  write_npy(folder / "trained.npy", training.network->flat());
  write_npy(folder / "statistics.npy", training.network->statistics());
}

}  // namespace occam
