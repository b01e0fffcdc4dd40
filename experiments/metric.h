#pragma once

#include <string>

#include "experiments/evaluation.h"

namespace occam {

// Which of an evaluation's rates a table, a comparison or a picture shows.
enum class Metric { auroc, average_precision, fpr95 };
template <>
std::span<const std::string_view> names_of<Metric>();

double rate_of(const Evaluation& evaluation, Metric metric);

// Of a false positive rate the less, the better.
bool less_is_better(Metric metric);
bool is_better(Metric metric, double one, double other);

// "AUROC", "average precision", "FPR95": as print has it.
std::string printed_metric(Metric metric);

}  // namespace occam
