#include "results/figure/curves.h"

#include <cmath>

namespace occam {
namespace {

double number_or_nan(const nlohmann::json& value) {
  return value.is_number() ? value.get<double>() : std::nan("");
}

}  // namespace

Curves read_curves(const Store& store, const std::string& sweep) {
  std::string name;
  for (const char one : sweep) name += one == '\'' ? "''" : std::string(1, one);
  Curves curves;
  store.query(
      "SELECT trial, epoch, train_loss, accuracy, learning_rate FROM curves WHERE sweep = '" +
          name + "' ORDER BY trial, epoch",
      [](const std::vector<std::string>&) {},
      [&](const Row& row) {
        curves[row[0].get<std::string>()].push_back({row[1].get<std::int64_t>(),
                                                     number_or_nan(row[2]), number_or_nan(row[3]),
                                                     number_or_nan(row[4])});
      });
  return curves;
}

}  // namespace occam
