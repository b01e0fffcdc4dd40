#pragma once

#include <optional>
#include <string>

#include "experiments/evaluation.h"

namespace occam {

// Which of an evaluation's rates a table, a comparison or a picture shows.
enum class Metric { auroc, average_precision, fpr95 };
template <>
std::span<const std::string_view> names_of<Metric>();

inline constexpr Metric kMetrics[] = {Metric::auroc, Metric::average_precision, Metric::fpr95};
inline constexpr const char* kMetricWords = "auroc, average_precision or fpr95";  // for messages

double rate_of(const Evaluation& evaluation, Metric metric);

// Of a false positive rate the less, the better.
bool less_is_better(Metric metric);
bool is_better(Metric metric, double one, double other);

// Whether another is asked for than a spec's own, which its caption may speak of.
bool is_another(std::optional<Metric> wanted, std::optional<Metric> own);

// "AUROC", "average precision", "FPR95": as print has it.
std::string printed_metric(Metric metric);

}  // namespace occam
