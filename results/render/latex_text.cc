#include "results/render/latex_text.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "results/printed_cell.h"

namespace occam {
namespace {

constexpr std::pair<std::string_view, std::string_view> kEscapes[] = {{"\\", "\\textbackslash{}"},
                                                                      {"&", "\\&"},
                                                                      {"%", "\\%"},
                                                                      {"$", "\\$"},
                                                                      {"#", "\\#"},
                                                                      {"_", "\\_"},
                                                                      {"{", "\\{"},
                                                                      {"}", "\\}"},
                                                                      {"~", "\\textasciitilde{}"},
                                                                      {"^", "\\textasciicircum{}"},
                                                                      {"<", "$<$"},
                                                                      {">", "$>$"},
                                                                      {"|", "$|$"},
                                                                      {"\"", "''"},
                                                                      {"±", "$\\pm$"},
                                                                      {"Δ", "$\\Delta$"},
                                                                      {"α", "$\\alpha$"},
                                                                      {"β", "$\\beta$"},
                                                                      {"γ", "$\\gamma$"},
                                                                      {"δ", "$\\delta$"},
                                                                      {"ε", "$\\varepsilon$"},
                                                                      {"η", "$\\eta$"},
                                                                      {"θ", "$\\theta$"},
                                                                      {"λ", "$\\lambda$"},
                                                                      {"μ", "$\\mu$"},
                                                                      {"ν", "$\\nu$"},
                                                                      {"ρ", "$\\rho$"},
                                                                      {"σ", "$\\sigma$"},
                                                                      {"τ", "$\\tau$"},
                                                                      {"φ", "$\\varphi$"},
                                                                      {"ω", "$\\omega$"},
                                                                      {"−", "$-$"},
                                                                      {"→", "$\\to$"},
                                                                      {"≤", "$\\le$"},
                                                                      {"≥", "$\\ge$"},
                                                                      {"≈", "$\\approx$"},
                                                                      {"∞", "$\\infty$"},
                                                                      {"†", "\\dag{}"},
                                                                      {"°", "$^\\circ$"},
                                                                      {"×", "$\\times$"},
                                                                      {"--", "-{}-"},
                                                                      {"–", "--"},
                                                                      {"…", "\\dots{}"}};

}  // namespace

std::string latex_text(const std::string& text) {
  const std::string line = one_line(text);
  std::string escaped;
  for (std::size_t i = 0; i < line.size();) {
    const auto found = std::find_if(std::begin(kEscapes), std::end(kEscapes), [&](const auto& one) {
      return line.compare(i, one.first.size(), one.first) == 0;
    });
    escaped += found == std::end(kEscapes) ? line.substr(i, 1) : std::string(found->second);
    i += found == std::end(kEscapes) ? 1 : found->first.size();
  }
  return escaped;
}

}  // namespace occam
