#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace occam {

// A text that HTML shows as it is, in an element or between double quotes.
std::string html(std::string_view text);

// JSON that may stand inside a script element.
std::string script_json(const nlohmann::json& value);

// An <img> that carries its picture. `description` is what is read out in its place.
std::string image(std::string_view svg, std::string_view description);

}  // namespace occam
