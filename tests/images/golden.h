#pragma once

#include <array>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "images/picture.h"

namespace occam {

// tests/golden/pictures.json, which picture_oracle.py writes.
inline const nlohmann::json& golden() {
  static const nlohmann::json all = [] {
    std::ifstream file(OCCAM_SOURCE_DIR "/tests/golden/pictures.json");
    return nlohmann::json::parse(file);
  }();
  return all;
}

inline std::string from_base64(const std::string& text) {
  std::array<int, 256> digit{};
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < alphabet.size(); ++i)
    digit[static_cast<unsigned char>(alphabet[i])] = static_cast<int>(i);
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == '=') break;
    bits = bits << 6 | static_cast<std::uint32_t>(digit[static_cast<unsigned char>(c)]);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 255);
  }
  return bytes;
}

inline std::vector<std::uint8_t> bytes_in(const nlohmann::json& text) {
  const std::string bytes = from_base64(text.get<std::string>());
  return {bytes.begin(), bytes.end()};
}

inline Picture picture_in(const nlohmann::json& text) {
  return {text.at("width"), text.at("height"), bytes_in(text.at("rgb"))};
}

// The largest difference of two images' bytes; 256 when they are of different sizes.
inline int largest_difference(const std::vector<std::uint8_t>& a,
                              const std::vector<std::uint8_t>& b) {
  if (a.size() != b.size()) return 256;
  int most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(int{a[i]} - int{b[i]}));
  return most;
}

}  // namespace occam
