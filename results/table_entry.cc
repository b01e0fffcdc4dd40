#include "results/table_entry.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory_resource>
#include <span>
#include <unordered_map>
#include <unordered_set>

#include "experiments/differing_fields.h"
#include "experiments/number.h"
#include "results/result_field.h"

namespace occam {
namespace {

// Of result_fields(), those of a request come last.
std::size_t trial_fields() {
  static const std::size_t count = static_cast<std::size_t>(
      std::find_if(result_fields().begin(), result_fields().end(), is_of_request) -
      result_fields().begin());
  return count;
}

// Makes entries; what many of them have in common is worked out and held once.
class TableEntryMaker {
 public:
  explicit TableEntryMaker(const std::vector<EvaluationRequest>& requests) {
    for (const EvaluationRequest& one : requests) number(one);
  }

  // Of a Result or a Missing, those of one trial one after the other.
  template <class Planned>
  TableEntry make(const Planned& planned, const EvaluationRequest& request) {
    const std::size_t at = number(request);
    if (!of_trial_ || position_ != planned.position) {
      of_trial_ = describe(planned.trial, planned.variant);
      position_ = planned.position;
    }
    const std::string* const*& of_request = of_request_[at];
    if (!of_request) {
      std::vector<const std::string*> labels;
      for (const std::string& field : result_fields())
        if (is_of_request(field))
          labels.push_back(text(value_text(field, planned.trial, planned.variant, request)));
      of_request = kept(labels);
    }
    return {
        &planned.trial, request, {planned.position, at}, {}, false, false, false, "", "", of_trial_,
        of_request,     texts_};
  }

 private:
  // Rows are many and go together.
  struct Texts {
    std::unordered_set<std::string> texts;
    std::pmr::monotonic_buffer_resource rows;
  };

  const std::string* text(std::string one) { return &*texts_->texts.insert(std::move(one)).first; }

  const std::string* const* kept(const std::vector<const std::string*>& labels) {
    const std::string** row =
        std::pmr::polymorphic_allocator<const std::string*>(&texts_->rows).allocate(labels.size());
    std::uninitialized_copy(labels.begin(), labels.end(), row);
    return row;
  }

  std::size_t number(const EvaluationRequest& one) {
    for (std::size_t i = 0; i < numbered_.size(); ++i)
      if (numbered_[i] == one) return numbers_[i];
    const std::string name =
        to_string(one.features) + " " + to_string(one.classifier) + " " + parameters_text(one);
    numbered_.push_back(one);
    numbers_.push_back(by_name_.emplace(name, by_name_.size()).first->second);
    return numbers_.back();
  }

  // Neighbours differ in few fields, so that only those are spelled anew.
  const std::string* const* describe(const Trial& trial, const std::string& variant) {
    const auto& fields = result_fields();
    std::vector<std::size_t> anew;
    if (last_) {
      anew = differing_fields(*last_, trial);
      for (std::size_t i = field_names().size(); i < trial_fields(); ++i) anew.push_back(i);
    } else {
      labels_.resize(trial_fields());
      for (std::size_t i = 0; i < trial_fields(); ++i) anew.push_back(i);
    }
    for (const std::size_t i : anew)
      labels_[i] = text(value_text(fields[i], trial, variant, {Features::pool, {}, {}}));
    last_ = &trial;
    return kept(labels_);
  }

  std::vector<EvaluationRequest> numbered_;
  std::vector<std::size_t> numbers_;
  std::map<std::string, std::size_t> by_name_;
  std::shared_ptr<Texts> texts_ = std::make_shared<Texts>();
  const Trial* last_ = nullptr;
  std::vector<const std::string*> labels_;  // of the last trial
  std::int64_t position_ = 0;
  const std::string* const* of_trial_ = nullptr;
  std::map<std::size_t, const std::string* const*> of_request_;
};

bool accepts(const std::string& field, const std::vector<std::string>& values,
             const TableEntry& entry) {
  const std::string& value = entry.value(field);
  if (std::any_of(values.begin(), values.end(),
                  [&](const std::string& written) { return same_value(field, value, written); }))
    return true;
  // A class may be given by its name.
  return field == "class" && accepts("class_name", values, entry);
}

}  // namespace

std::size_t TableEntry::place_of(std::string_view field) {
  static const std::unordered_map<std::string_view, std::size_t> places = [] {
    std::unordered_map<std::string_view, std::size_t> all;
    for (const std::string& name : result_fields()) all.emplace(name, all.size());
    return all;
  }();
  return places.at(field);
}

const std::string& TableEntry::value_at(std::size_t place) const {
  static const std::string none(kNoValue);
  if (place >= trial_fields()) return *of_request[place - trial_fields()];
  if (request.features == Features::pixels && !concerns(result_fields()[place], request.features))
    return none;
  return *of_trial[place];
}

std::vector<TableEntry> planned_entries(const SweepResults& sweep, Split split, Metric metric) {
  TableEntryMaker maker(sweep.requests);
  std::vector<TableEntry> entries;
  std::size_t most = sweep.results.size();
  for (const Missing& one : sweep.missing) most += one.evaluations.size();
  entries.reserve(most);
  for (const Result& one : sweep.results) {
    if (one.request.split != split) continue;
    TableEntry& entry = entries.emplace_back(maker.make(one, one.request));
    if (one.evaluation) entry.score = rate_of(*one.evaluation, metric);
    entry.diverged = one.status == OutcomeStatus::diverged;
    // A score that no training has a part in is as it is.
    entry.collapsed = !one.collapsed.empty() && concerns("steps", one.request.features);
    entry.build = one.build;
    entry.data = one.data;
  }
  const std::size_t recorded = entries.size();
  for (const Missing& one : sweep.missing)
    for (const EvaluationRequest& request : one.evaluations)
      if (request.split == split)
        entries.emplace_back(maker.make(one, request)).failed = one.failed;
  // Both come in this order, but where parts of a spec ask for the same scores in different ones.
  const auto before = [](const TableEntry& a, const TableEntry& b) { return a.order < b.order; };
  const auto middle = entries.begin() + static_cast<std::ptrdiff_t>(recorded);
  for (const auto& [from, to] : {std::pair(entries.begin(), middle), {middle, entries.end()}})
    if (!std::is_sorted(from, to, before)) std::sort(from, to, before);
  std::inplace_merge(entries.begin(), middle, entries.end(), before);
  return entries;
}

ClassTask task_of(const Trial& trial) {
  return {trial.dataset, class_index(trial.dataset, trial.inlier), trial.source.name};
}

std::string dataset_of(const TableEntry& entry) {
  const std::string name = to_string(entry.trial->dataset), &source = entry.trial->source.name;
  return source.empty() ? name : name + " '" + source + "'";
}

Labels labels_of(const TableEntry& entry, const Labels& fields) {
  Labels labels;
  for (const std::string& field : fields) labels.push_back(entry.value(field));
  return labels;
}

std::size_t Grouping::HashOfAddresses::operator()(
    const std::vector<const std::string*>& key) const {
  const auto bytes = std::as_bytes(std::span(key));
  return std::hash<std::string_view>()({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

Grouping::Grouping(const Labels& fields) : key_(fields.size()) {
  for (const std::string& field : fields) places_.push_back(TableEntry::place_of(field));
}

std::size_t Grouping::of(const TableEntry& entry) {
  for (std::size_t i = 0; i < places_.size(); ++i) key_[i] = &entry.value_at(places_[i]);
  const auto known = by_address_.find(key_);
  if (known != by_address_.end()) return known->second;
  Labels labels;
  for (const std::string* text : key_) labels.push_back(*text);
  const auto [group, is_new] = by_text_.emplace(labels, labels_.size());
  if (is_new) labels_.push_back(std::move(labels));
  by_address_.emplace(key_, group->second);
  return group->second;
}

Labels values_of(std::string_view field, const TableEntries& entries) {
  Grouping groups({std::string(field)});
  std::vector<std::pair<std::int64_t, std::size_t>> first;
  for (const TableEntry* entry : entries) {
    // The order of requests is the spec's, not that of the trials which bring them.
    const auto order = is_of_request(field)
                           ? std::pair<std::int64_t, std::size_t>{0, entry->order.second}
                           : entry->order;
    const std::size_t group = groups.of(*entry);
    if (group == first.size()) first.push_back(order);
    first[group] = std::min(first[group], order);
  }
  std::vector<std::pair<std::pair<double, std::pair<std::int64_t, std::size_t>>, std::string>>
      sorted;
  for (std::size_t group = 0; group < first.size(); ++group) {
    const std::string& value = groups.labels()[group].front();
    double number = 0;
    if (is_number(field) && !read_number(value, number)) number = INFINITY;
    sorted.push_back({{number, first[group]}, value});
  }
  std::sort(sorted.begin(), sorted.end());
  Labels values;
  for (const auto& [order, value] : sorted) values.push_back(value);
  return values;
}

bool contains(const Labels& fields, std::string_view field) {
  return std::find(fields.begin(), fields.end(), field) != fields.end();
}

bool accepts(const Where& where, const TableEntry& entry) {
  return std::all_of(where.begin(), where.end(), [&](const auto& condition) {
    return accepts(condition.first, condition.second, entry);
  });
}

void check_where(const std::string& what, const Where& where, const TableEntries& entries) {
  for (const auto& [field, values] : where) {
    check_result_field(field, what);
    for (const std::string& value : values) {
      const Where one{{field, {value}}};
      if (std::any_of(entries.begin(), entries.end(),
                      [&](const TableEntry* entry) { return accepts(one, *entry); }))
        continue;
      Labels known = values_of(field, entries);
      for (std::string& text : known) text = in_words(field, text);
      throw UsageError(what + ": no trial of the sweep has " + field + "=" + value + "; " + field +
                       " is: " + joined(known) + did_you_mean(value, known));
    }
  }
}

bool belongs(const TableEntry& entry, const TableSpec::Reference& reference, const Where& where) {
  if (!accepts(reference.where, entry)) return false;
  return std::all_of(where.begin(), where.end(), [&](const auto& condition) {
    const bool own = std::any_of(reference.where.begin(), reference.where.end(),
                                 [&](const auto& one) { return one.first == condition.first; });
    return own || entry.value(condition.first) == kNoValue ||
           accepts(condition.first, condition.second, entry);
  });
}

}  // namespace occam
