#include "experiments/metric.h"

#include <stdexcept>

namespace occam {

template <>
std::span<const std::string_view> names_of<Metric>() {
  static constexpr std::string_view names[] = {"auroc", "average_precision", "fpr95"};
  return names;
}

double rate_of(const Evaluation& evaluation, Metric metric) {
  switch (metric) {
    case Metric::auroc:
      return evaluation.auroc;
    case Metric::average_precision:
      return evaluation.average_precision;
    case Metric::fpr95:
      return evaluation.fpr95;
  }
  throw std::logic_error("unknown metric");
}

bool less_is_better(Metric metric) { return metric == Metric::fpr95; }

bool is_better(Metric metric, double one, double other) {
  return less_is_better(metric) ? one < other : one > other;
}

bool is_another(std::optional<Metric> wanted, std::optional<Metric> own) {
  return wanted && *wanted != own.value_or(Metric::auroc);
}

std::string printed_metric(Metric metric) {
  switch (metric) {
    case Metric::auroc:
      return "AUROC";
    case Metric::average_precision:
      return "average precision";
    case Metric::fpr95:
      return "FPR95";
  }
  throw std::logic_error("unknown metric");
}

}  // namespace occam
