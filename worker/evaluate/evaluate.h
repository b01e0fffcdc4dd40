#pragma once

#include <functional>
#include <vector>

#include "experiments/evaluation.h"
#include "worker/data/images.h"
#include "worker/model/network.h"

namespace occam {

// All requested scores of a trained network. `on_count` hears images and scores done, and may throw
// to stop. Throws Error for features that are not finite.
std::vector<Evaluation> evaluate(Network& network, const OneClassData& data,
                                 const std::vector<EvaluationRequest>& requests,
                                 const std::function<void(std::int64_t)>& on_count);

}  // namespace occam
