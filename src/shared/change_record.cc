#include "shared/change_record.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "absl/status/status.h"
#include "google/protobuf/arena.h"
#include "pg_tviews/v1/change_record.pb.h"
#include "shared/source_key.h"
#include "shared/status_macros.h"

namespace tviews {
namespace {

namespace v1 = ::pg_tviews::v1;

// The tag that precedes a length-delimited field; one byte for our field numbers.
constexpr char FieldTag(int field_number) {
  constexpr int kLengthDelimited = 2;
  return static_cast<char>(field_number << 3 | kLengthDelimited);
}
static_assert(v1::ChangeRecord::kDeltasFieldNumber < 16);
static_assert(v1::RelationDelta::kSourceKeysFieldNumber < 16);

std::size_t VarintSize(std::size_t value) {
  std::size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

void AppendLength(std::size_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}

// Appends `head` and the keys as one element of ChangeRecord.deltas. The keys go straight from the
// set to `out`: a message would copy every one of them first.
void AppendDelta(const v1::RelationDelta& head, const SourceKeySet& keys, std::string* out) {
  std::size_t size = head.ByteSizeLong();
  for (const std::string& key : keys) size += 1 + VarintSize(key.size()) + key.size();

  out->reserve(out->size() + 1 + VarintSize(size) + size);
  out->push_back(FieldTag(v1::ChangeRecord::kDeltasFieldNumber));
  AppendLength(size, out);
  head.AppendToString(out);
  for (const std::string& key : keys) {
    out->push_back(FieldTag(v1::RelationDelta::kSourceKeysFieldNumber));
    AppendLength(key.size(), out);
    out->append(key);
  }
}

void AppendRelation(RelationId relation, const RelationDelta& delta, std::string* out) {
  if (delta.is_whole()) {
    v1::RelationDelta head;
    head.set_relation(relation);
    head.set_whole_relation(true);
    AppendDelta(head, SourceKeySet(), out);
    return;
  }
  for (const auto& [layout, keys] : delta.keys()) {
    v1::RelationDelta head;
    head.set_relation(relation);
    for (const CapturedColumn& column : layout.columns) {
      head.add_columns(static_cast<std::uint32_t>(column.attribute));
      head.add_types(column.type);
    }
    for (const AttributeNumber attribute : layout.changed) {
      head.add_changed_columns(static_cast<std::uint32_t>(attribute));
    }
    AppendDelta(head, keys, out);
  }
}

absl::StatusOr<AttributeNumber> ReadAttribute(std::uint32_t wire) {
  const auto number = static_cast<std::int32_t>(wire);
  if (number < std::numeric_limits<AttributeNumber>::min() ||
      number > std::numeric_limits<AttributeNumber>::max()) {
    return absl::InvalidArgumentError("change record names an impossible column");
  }
  return static_cast<AttributeNumber>(number);
}

absl::StatusOr<Layout> ReadLayout(const v1::RelationDelta& wire) {
  if (wire.columns_size() != wire.types_size()) {
    return absl::InvalidArgumentError("change record has columns without types");
  }
  Layout layout;
  for (int i = 0; i < wire.columns_size(); ++i) {
    TVIEWS_ASSIGN_OR_RETURN(const AttributeNumber attribute, ReadAttribute(wire.columns(i)));
    layout.columns.push_back({attribute, wire.types(i)});
  }
  for (const std::uint32_t changed : wire.changed_columns()) {
    TVIEWS_ASSIGN_OR_RETURN(const AttributeNumber attribute, ReadAttribute(changed));
    if (!layout.changed.empty() && attribute <= layout.changed.back()) {
      return absl::InvalidArgumentError("change record has changed columns out of order");
    }
    layout.changed.push_back(attribute);
  }
  return layout;
}

absl::Status ReadDelta(const v1::RelationDelta& wire, DeltaSet* deltas) {
  if (wire.relation() == 0) return absl::InvalidArgumentError("change record names no relation");
  if (wire.whole_relation()) {
    if (wire.source_keys_size() != 0) {
      return absl::InvalidArgumentError("change record has source keys of a whole relation");
    }
    deltas->MarkWhole(wire.relation());
    return absl::OkStatus();
  }
  TVIEWS_ASSIGN_OR_RETURN(const Layout layout, ReadLayout(wire));
  if (wire.source_keys_size() > 0) {
    deltas->Reserve(wire.relation(), layout, static_cast<std::size_t>(wire.source_keys_size()));
  }
  for (const std::string& key : wire.source_keys()) {
    if (!HasFields(key, layout.columns.size())) {
      return absl::InvalidArgumentError("change record has a malformed source key");
    }
    deltas->Add(wire.relation(), layout, key);
  }
  return absl::OkStatus();
}

}  // namespace

void SerializeChangeRecord(const Origin& origin, Timestamp written_at, const DeltaSet& deltas,
                           std::string* out) {
  v1::ChangeRecord head;
  head.set_system_identifier(origin.system_identifier);
  head.set_database(origin.database);
  head.set_written_at(written_at);
  head.AppendToString(out);
  for (const auto& [relation, delta] : deltas.relations()) AppendRelation(relation, delta, out);
}

absl::StatusOr<ChangeRecord> ParseChangeRecord(std::string_view bytes) {
  // In an arena, which makes reading many keys twice as fast.
  google::protobuf::Arena arena;
  auto& wire = *google::protobuf::Arena::CreateMessage<v1::ChangeRecord>(&arena);
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()) ||
      !wire.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::InvalidArgumentError("bytes are not a change record");
  }
  if (wire.system_identifier() == 0 || wire.database() == 0) {
    return absl::InvalidArgumentError("change record names no origin");
  }
  ChangeRecord record;
  record.origin = {wire.system_identifier(), wire.database()};
  record.written_at = wire.written_at();
  for (const v1::RelationDelta& delta : wire.deltas()) {
    TVIEWS_RETURN_IF_ERROR(ReadDelta(delta, &record.deltas));
  }
  return record;
}

}  // namespace tviews
