#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "experiments/evaluation.h"
#include "experiments/spec.h"

namespace occam {

// The text of a field that does not apply.
inline constexpr std::string_view kNoValue = "–";

// Whether scores on such features depend on the trial field (or class_name, variant): pixels use no
// network, so nothing that concerns training says anything about them.
bool concerns(std::string_view field, Features features);

// The value of one of result_fields() as text; kNoValue where it does not apply.
std::string value_text(std::string_view field, const Trial& trial, const std::string& variant,
                       const EvaluationRequest& request);

// features, classifier and parameters, the last of result_fields(); the others describe the trial.
bool is_of_request(std::string_view field);
// Whether a field's values are numbers, so that they sort and compare as such.
bool is_number(std::string_view field);
// "gamma_scale=1 nu=0.1" of the parameters {"gamma_scale":1,"nu":0.1}, "defaults" of {}, as print
// has them; of any other field the value as it is.
std::string in_words(std::string_view field, const std::string& value);
// {"k":5} of {"k":5,"test_limit":2000}: how many rows are scored is no parameter of the classifier.
std::string without_test_limit(const std::string& parameters);
// Whether a value, as text, is the one that a user wrote: numbers may be spelled differently, and
// parameters be JSON or as print has them.
bool same_value(std::string_view field, std::string_view value, std::string_view written);

// Throws UsageError with "did you mean" for what is none of result_fields().
void check_result_field(const std::string& field, std::string_view where);

}  // namespace occam
