#include "shared/evaluation.h"

#include <bit>
#include <charconv>

#include "shared/source_key.h"

namespace tviews {
namespace {

// The first byte of a message.
constexpr char kEvaluation = 'E';
constexpr char kRow = 'R';
constexpr char kEnd = 'D';
constexpr char kFailure = 'F';

using Fields = std::vector<std::optional<std::string_view>>;

// The fields behind the first byte.
Fields FieldsOf(std::string_view bytes) { return SplitFields(bytes.substr(1)); }

bool AreAllThere(const Fields& fields, std::size_t count) {
  if (fields.size() < count) return false;
  for (std::size_t i = 0; i < count; ++i) {
    if (!fields[i].has_value()) return false;
  }
  return true;
}

template <typename Number>
bool ReadNumber(std::string_view text, Number* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

std::optional<std::string> Copy(const std::optional<std::string_view>& field) {
  return field.has_value() ? std::optional<std::string>(*field) : std::nullopt;
}

constexpr std::size_t kHeadFields = 8;

}  // namespace

std::string EncodeEvaluation(const Evaluation& evaluation) {
  std::string bytes(1, kEvaluation);
  AppendField(std::to_string(evaluation.owner), &bytes);
  AppendField(evaluation.with_batch_costs ? "1" : "0", &bytes);
  AppendField(evaluation.with_key_planning ? "1" : "0", &bytes);
  AppendField(evaluation.is_planned_only ? "1" : "0", &bytes);
  AppendField(std::to_string(evaluation.settings.size()), &bytes);
  AppendField(evaluation.sql, &bytes);
  AppendField(evaluation.lane, &bytes);
  AppendField(std::to_string(evaluation.with_states_of), &bytes);
  for (const DefinitionSetting& setting : evaluation.settings) {
    AppendField(setting.name, &bytes);
    AppendField(setting.value, &bytes);
  }
  for (const auto& parameter : evaluation.parameters) AppendField(parameter, &bytes);
  return bytes;
}

std::optional<Evaluation> DecodeEvaluation(std::string_view bytes) {
  if (bytes.empty() || bytes[0] != kEvaluation) return std::nullopt;
  const Fields fields = FieldsOf(bytes);
  Evaluation evaluation;
  if (!AreAllThere(fields, kHeadFields) || !ReadNumber(*fields[0], &evaluation.owner)) {
    return std::nullopt;
  }
  evaluation.with_batch_costs = *fields[1] == "1";
  evaluation.with_key_planning = *fields[2] == "1";
  evaluation.is_planned_only = *fields[3] == "1";
  std::size_t settings = 0;
  if (!ReadNumber(*fields[4], &settings)) return std::nullopt;
  evaluation.sql = *fields[5];
  evaluation.lane = *fields[6];
  if (!ReadNumber(*fields[7], &evaluation.with_states_of)) return std::nullopt;
  std::size_t next = kHeadFields;
  for (; settings > 0; --settings, next += 2) {
    if (!AreAllThere(fields, next + 2)) return std::nullopt;
    evaluation.settings.push_back(
        {.name = std::string(*fields[next]), .value = std::string(*fields[next + 1])});
  }
  for (std::size_t i = next; i < fields.size(); ++i) {
    evaluation.parameters.push_back(Copy(fields[i]));
  }
  return evaluation;
}

std::string EncodeRow(const EvaluatedRow& row) {
  std::string bytes(1, kRow);
  for (const auto& value : row) AppendField(value, &bytes);
  return bytes;
}

std::string EncodeEnd(const EvaluationEnd& end) {
  std::string bytes(1, kEnd);
  AppendField(std::to_string(end.processed), &bytes);
  AppendField(std::to_string(std::bit_cast<std::uint64_t>(end.cost)), &bytes);
  return bytes;
}

std::string EncodeFailure(const EvaluationFailure& failure) {
  std::string bytes(1, kFailure);
  for (const std::string* text :
       {&failure.sqlstate, &failure.message, &failure.detail, &failure.hint}) {
    AppendField(*text, &bytes);
  }
  return bytes;
}

std::optional<EvaluationAnswer> DecodeAnswer(std::string_view bytes) {
  if (bytes.empty()) return std::nullopt;
  const Fields fields = FieldsOf(bytes);
  EvaluationAnswer answer;
  if (bytes[0] == kRow) {
    answer.row.emplace();
    for (const auto& field : fields) answer.row->push_back(Copy(field));
  } else if (bytes[0] == kEnd && AreAllThere(fields, 2)) {
    std::uint64_t cost = 0;
    answer.end.emplace();
    if (!ReadNumber(*fields[0], &answer.end->processed) || !ReadNumber(*fields[1], &cost)) {
      return std::nullopt;
    }
    answer.end->cost = std::bit_cast<double>(cost);
  } else if (bytes[0] == kFailure && AreAllThere(fields, 4) && fields[0]->size() == 5) {
    answer.failure = EvaluationFailure{.sqlstate = std::string(*fields[0]),
                                       .message = std::string(*fields[1]),
                                       .detail = std::string(*fields[2]),
                                       .hint = std::string(*fields[3])};
  } else {
    return std::nullopt;
  }
  return answer;
}

}  // namespace tviews
