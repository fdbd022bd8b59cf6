#include "targets.h"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>

#include "shared/change_record.h"
#include "shared/dependency_graph.h"
#include "shared/evaluation.h"
#include "shared/graph_text.h"
#include "shared/point_setting.h"
#include "shared/source_key.h"
#include "shared/sql_text.h"
#include "shared/tview_label.h"

namespace tviews {
namespace {

void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

// --- Labels of tables.

std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '"' || c == '\\') escaped += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      char code[8];
      std::snprintf(code, sizeof(code), "\\u%04x", static_cast<unsigned>(c));
      escaped += code;
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string Written(const TviewLabel& label) {
  std::string key;
  for (const std::string& column : label.key) {
    key += (key.empty() ? "[\"" : ", \"") + Escaped(column) + "\"";
  }
  return "{\"entity\" : \"" + Escaped(label.entity) + "\", \"key\" : " + key + "], \"view\" : \"" +
         Escaped(label.view) + "\", \"options\" : {" + label.options + "}}";
}

void RunLabel(std::string_view bytes) {
  const auto label = ParseTviewLabel(bytes);
  if (!label.ok()) return;
  Require(!label->entity.empty() && !label->key.empty() && !label->view.empty(), "names are there");
  const std::string text = Written(*label);
  if (text.size() > 64 * 1024) return;  // grown by escapes
  const auto again = ParseTviewLabel(text);
  Require(again.ok(), "a label that was read can be written and read again");
  Require(again->entity == label->entity && again->key == label->key &&
              again->view == label->view && again->options == label->options,
          "a label that was written is the same");
}

std::vector<std::string> LabelSeeds() {
  return {
      R"({"entity" : "post", "key" : "pk_post", "view" : "public.v_post"})",
      R"({"entity" : "post", "key" : ["tenant_id","id"], "view" : "public.v_post"})",
      R"({"entity":"a","key":"b","view":"\"S\".\"v_\u00e9\"","options":{"feed":"data","notify":true}})",
      R"({"entity" : "x", "key" : "k", "view" : "v", "options" : {"later": [1.5, {"x": null}, -0]}})"};
}

// The options alone.
void RunOptions(std::string_view bytes) {
  RunLabel(R"({"entity":"e","key":"k","view":"v","options":)" + std::string(bytes) + "}");
}

std::vector<std::string> OptionsSeeds() {
  return {"{}", R"({"feed": "keys"})", R"({"notify": false, "undetermined": true})",
          R"({"settings": {"TimeZone": "UTC", "extra_float_digits": "1"}})",
          R"({"n": [[[]], 12.25]})"};
}

// --- Change records, of the outbox and of what TVIEWs owe.

bool AreEqual(const DeltaSet& a, const DeltaSet& b) {
  std::string first;
  std::string second;
  SerializeChangeRecord({1, 1}, 0, a, &first);
  SerializeChangeRecord({1, 1}, 0, b, &second);
  return first.size() == second.size();  // sets have no order
}

void RunRecord(std::string_view bytes) {
  const auto record = ParseChangeRecord(bytes);
  static_cast<void>(ParseChangeRecord(bytes, 64));
  if (!record.ok()) return;
  std::string written;
  SerializeChangeRecord(record->origin, record->written_at, record->deltas, &written);
  const auto again = ParseChangeRecord(written);
  Require(again.ok(), "a record that was read can be written and read again");
  Require(again->origin == record->origin && again->written_at == record->written_at &&
              AreEqual(again->deltas, record->deltas),
          "a record that was written is the same");
}

std::vector<std::string> RecordSeeds() {
  DeltaSet deltas;
  Layout layout;
  layout.columns = {{1, 23}, {2, 25}};
  layout.changed = {2};
  for (const char* text : {"one", "two", ""}) {
    std::string key;
    AppendField("\x01\x02\x03\x04", &key);
    AppendField(text, &key);
    deltas.Add(16384, layout, key);
  }
  deltas.MarkWhole(16385);
  std::string record;
  SerializeChangeRecord({7, 5}, 1234567890, deltas, &record);
  std::string empty;
  SerializeChangeRecord({7, 5}, 0, DeltaSet(), &empty);
  return {record, empty};
}

// --- Source keys.

void RunSourceKey(std::string_view bytes) {
  const auto fields = SplitFields(bytes);
  for (std::size_t i = 0; i < fields.size() + 1; ++i) {
    if (i == fields.size()) break;
    Require(FieldAt(bytes, i) == fields[i], "a field is the same by its place");
  }
  std::vector<std::size_t> all(fields.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  const std::string projected = ProjectFields(bytes, all);
  Require(SplitFields(projected) == fields, "all fields together are the key");
  Require(HasFields(projected, fields.size()), "a projection is well-formed");
  Require(!HasFields(bytes, fields.size() + 1), "no key has more fields than it has");
}

std::vector<std::string> SourceKeySeeds() {
  std::string key;
  AppendField("abc", &key);
  AppendField(std::nullopt, &key);
  AppendField(std::string(200, 'x'), &key);
  return {key, "", std::string(1, '\0')};
}

// --- Messages between sessions and evaluators.

void RunEvaluation(std::string_view bytes) {
  if (const auto evaluation = DecodeEvaluation(bytes); evaluation.has_value()) {
    const auto again = DecodeEvaluation(EncodeEvaluation(*evaluation));
    Require(again.has_value() && again->sql == evaluation->sql &&
                again->parameters == evaluation->parameters && again->owner == evaluation->owner,
            "a statement that was written is the same");
  }
  if (const auto answer = DecodeAnswer(bytes); answer.has_value()) {
    Require(answer->row.has_value() + answer->end.has_value() + answer->failure.has_value() == 1,
            "an answer is one of three things");
  }
}

std::vector<std::string> EvaluationSeeds() {
  return {EncodeEvaluation({.owner = 10, .sql = "SELECT 1", .parameters = {"a", std::nullopt}}),
          EncodeRow({"x", std::nullopt, ""}), EncodeEnd({.processed = 3}),
          EncodeFailure({.sqlstate = "22012", .message = "m", .detail = "d", .hint = "h"})};
}

// --- Settings of the form "point:value,...".

void RunPointSetting(std::string_view bytes) {
  const auto value = ValueAt("after_take", bytes);
  if (!value.has_value()) return;
  Require(value->find(',') == std::string_view::npos && value->find(':') == std::string_view::npos,
          "a value is one");
  Require(bytes.find("after_take:" + std::string(*value)) != std::string_view::npos,
          "a value is the point's");
}

std::vector<std::string> PointSettingSeeds() {
  return {"after_take:17", "mid_refresh:1,after_take:22012", "after_take:1:2,after_take:3", ","};
}

// --- Names and values in SQL.

// What PostgreSQL reads of a quoted text, whatever standard_conforming_strings says; nullopt if the
// quote ends before the text does.
std::optional<std::string> Unquoted(std::string_view text, char quote) {
  const bool has_escapes = text.substr(0, 1) == "E";
  if (has_escapes) text.remove_prefix(1);
  if (text.size() < 2 || text.front() != quote || text.back() != quote) return std::nullopt;
  text = text.substr(1, text.size() - 2);
  std::string read;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_backslash = quote == '\'' && text[i] == '\\';
    if (is_backslash && !has_escapes) return std::nullopt;  // is read in two ways
    if (text[i] == quote || is_backslash) {
      ++i;
      if (i == text.size() || text[i] != text[i - 1]) return std::nullopt;
    }
    read += text[i];
  }
  return read;
}

void RunSqlText(std::string_view bytes) {
  Require(Unquoted(QuoteIdentifier(bytes), '"') == bytes, "a name is read as it was written");
  Require(Unquoted(QuoteLiteral(bytes), '\'') == bytes, "a value is read as it was written");
}

std::vector<std::string> SqlTextSeeds() { return {"plain", "a\"b", "it's", "\\'; DROP", ""}; }

// --- Names in drawings.

void RunGraphText(std::string_view bytes) {
  TviewDefinition tview;
  tview.relation = 10;
  tview.entity = std::string(bytes);
  SourceLineage& source = tview.sources.emplace_back();
  source.source = 1;
  source.paths.emplace_back().strategy = Strategy::kDirect;
  std::vector<TviewDefinition> tviews;
  tviews.push_back(std::move(tview));
  const auto graph = DependencyGraph::Build(std::move(tviews));
  Require(graph.ok(), "one TVIEW is no cycle");
  const RelationNames names = {{1, std::string(bytes) + "s"}, {10, std::string(bytes) + "t"}};
  const std::string mermaid = DrawGraph(*graph, names, GraphFormat::kMermaid);
  Require(std::count(mermaid.begin(), mermaid.end(), '\n') == 4, "a node is one line");
  Require(std::count(mermaid.begin(), mermaid.end(), '"') == 4, "a name ends where it ends");
  const std::string json = DrawGraph(*graph, names, GraphFormat::kJson);
  Require(std::none_of(json.begin(), json.end(),
                       [](char c) { return static_cast<unsigned char>(c) < 0x20; }),
          "JSON has no control characters");
  const std::string dot = DrawGraph(*graph, names, GraphFormat::kDot);
  int quotes = 0;
  for (std::size_t i = 0; i < dot.size(); ++i) {
    if (dot[i] == '\\') {
      ++i;
    } else if (dot[i] == '"') {
      ++quotes;
    }
  }
  Require(quotes == 6, "a label ends where it ends");
}

std::vector<std::string> GraphTextSeeds() {
  return {"tb_post", "\"q\\", "a\nb", "]; x --> y", "#"};
}

constexpr FuzzTarget kTargets[] = {{"label", RunLabel, LabelSeeds},
                                   {"options", RunOptions, OptionsSeeds},
                                   {"record", RunRecord, RecordSeeds},
                                   {"source_key", RunSourceKey, SourceKeySeeds},
                                   {"evaluation", RunEvaluation, EvaluationSeeds},
                                   {"point_setting", RunPointSetting, PointSettingSeeds},
                                   {"sql_text", RunSqlText, SqlTextSeeds},
                                   {"graph_text", RunGraphText, GraphTextSeeds}};

}  // namespace

std::span<const FuzzTarget> FuzzTargets() { return kTargets; }

}  // namespace tviews
