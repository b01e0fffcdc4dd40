#include "experiments/figure_spec.h"

#include <algorithm>

#include "experiments/json_document.h"
#include "experiments/table_spec.h"

namespace occam {

FigureSpec figure_spec(const JsonNode& node) {
  using Kind = JsonNode::Kind;
  node.require(Kind::object, "an object: {\"x\": \"batch_size\", \"by\": \"loss,classifier\"}");
  node.allow_only({"kind", "x", "y", "by", "where", "caption", "metric"});
  FigureSpec spec;
  if (const JsonNode* kind = node.find("kind")) {
    const std::vector<std::string> known{"lines", "bars", "heat", "curves"};
    spec.kind = kind->text("lines, bars, heat or curves");
    if (std::find(known.begin(), known.end(), spec.kind) == known.end())
      kind->fail("'" + spec.kind + "' is none of: " + joined(known) +
                 did_you_mean(spec.kind, known));
  }
  const bool curves = spec.kind == "curves";
  if (const JsonNode* x = node.find("x")) {
    if (curves) x->fail("curves have the epochs there; leave it out");
    spec.x = result_field(*x, x->text("a field's name"));
  } else if (!curves) {
    node.fail("needs an axis: {\"x\": \"batch_size\", …}");
  }
  // Of curves y is no field of a result, but what training tells of an epoch.
  if (const JsonNode* y = node.find("y"))
    spec.y = curves ? y->text("train_loss, accuracy or learning_rate")
                    : result_field(*y, y->text("a field's name"));
  if (const JsonNode* by = node.find("by")) spec.by = field_list(*by);
  if (const JsonNode* metric = node.find("metric")) {
    if (curves) metric->fail("is of scores, and curves show what training said; leave it out");
    spec.metric = metric->named<Metric>(kMetricWords);
  }
  if (const JsonNode* where = node.find("where")) spec.where = conditions(*where);
  if (const JsonNode* caption = node.find("caption")) spec.caption = caption->text("a text");
  return spec;
}

}  // namespace occam
