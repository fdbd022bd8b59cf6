#include "shared/change_record.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "absl/status/status.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"
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
static_assert(v1::RelationDelta::kImagesFieldNumber < 16);

std::size_t VarintSize(std::size_t value) {
  std::size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

void AppendLength(std::size_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}

constexpr std::size_t kWeightSize = sizeof(std::int64_t);

void AppendWeight(std::int64_t weight, std::string* out) {
  auto bits = static_cast<std::uint64_t>(weight);
  for (std::size_t i = 0; i < kWeightSize; ++i, bits >>= 8) out->push_back(static_cast<char>(bits));
}

// REQUIRES: `image` is no shorter than a weight.
std::int64_t WeightOf(std::string_view image) {
  std::uint64_t bits = 0;
  for (std::size_t i = kWeightSize; i-- > 0;) {
    bits = bits << 8 | static_cast<unsigned char>(image[i]);
  }
  return static_cast<std::int64_t>(bits);
}

// Appends `head` and the images as one element of ChangeRecord.deltas, as AppendDelta does.
void AppendImages(const v1::RelationDelta& head, const ImageCounts& images, std::string* out) {
  std::size_t size = head.ByteSizeLong();
  for (const auto& [image, weight] : images) {
    size += 1 + VarintSize(kWeightSize + image.size()) + kWeightSize + image.size();
  }
  out->reserve(out->size() + 1 + VarintSize(size) + size);
  out->push_back(FieldTag(v1::ChangeRecord::kDeltasFieldNumber));
  AppendLength(size, out);
  head.AppendToString(out);
  for (const auto& [image, weight] : images) {
    out->push_back(FieldTag(v1::RelationDelta::kImagesFieldNumber));
    AppendLength(kWeightSize + image.size(), out);
    AppendWeight(weight, out);
    out->append(image);
  }
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
    head.set_counted(delta.is_counted());
    AppendDelta(head, keys, out);
  }
  if (!delta.is_counted()) return;
  v1::RelationDelta head;
  head.set_relation(relation);
  head.set_counted(true);
  for (const CapturedColumn& column : delta.image_columns()) {
    head.add_image_columns(static_cast<std::uint32_t>(column.attribute));
    head.add_image_types(column.type);
  }
  AppendImages(head, delta.images(), out);
}

absl::Status NoRecord() { return absl::InvalidArgumentError("bytes are not a change record"); }

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

// Walks over the fields of a message without copying them: the generated code would copy every key.
class FieldReader {
 public:
  // REQUIRES: bytes.size() fits into an int.
  explicit FieldReader(std::string_view bytes)
      : bytes_(bytes),
        stream_(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                static_cast<int>(bytes.size())) {}

  // False at the end, and where the bytes are no message.
  bool Next() {
    const int begin = stream_.CurrentPosition();
    tag_ = stream_.ReadTag();
    if (tag_ == 0) {
      is_ok_ = stream_.ConsumedEntireMessage();
      return false;
    }
    int size = 0;
    const bool has_content =
        WireFormatLite::GetTagWireType(tag_) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
    is_ok_ = has_content ? stream_.ReadVarintSizeAsInt(&size) && stream_.Skip(size)
                         : WireFormatLite::SkipField(&stream_, tag_);
    if (!is_ok_) return false;
    const int end = stream_.CurrentPosition();
    field_ = bytes_.substr(begin, end - begin);
    content_ = bytes_.substr(end - size, size);
    return true;
  }

  bool ok() const { return is_ok_; }
  // True for the field with the one-byte `tag`.
  bool Is(char tag) const { return tag_ == static_cast<unsigned char>(tag); }
  std::string_view content() const { return content_; }  // of a length-delimited field
  std::string_view field() const { return field_; }      // with its tag

 private:
  using WireFormatLite = google::protobuf::internal::WireFormatLite;

  std::string_view bytes_;
  google::protobuf::io::CodedInputStream stream_;
  std::string_view content_;
  std::string_view field_;
  std::uint32_t tag_ = 0;
  bool is_ok_ = true;
};

// Calls `visit` with the content of every field with `tag`, and parses the others into `head`, but
// for those with `left_out`. False if the bytes are no such message.
template <typename Message, typename Visit>
bool ParseAround(std::string_view bytes, char tag, char left_out, Message* head, Visit visit) {
  std::string others;
  FieldReader reader(bytes);
  while (reader.Next()) {
    if (reader.Is(tag)) {
      visit(reader.content());
    } else if (!reader.Is(left_out)) {
      others.append(reader.field());
    }
  }
  return reader.ok() && head->ParseFromString(others);
}

absl::StatusOr<std::vector<CapturedColumn>> ReadImageColumns(const v1::RelationDelta& wire) {
  if (wire.image_columns_size() != wire.image_types_size()) {
    return absl::InvalidArgumentError("change record has images' columns without types");
  }
  std::vector<CapturedColumn> columns;
  for (int i = 0; i < wire.image_columns_size(); ++i) {
    TVIEWS_ASSIGN_OR_RETURN(const AttributeNumber attribute, ReadAttribute(wire.image_columns(i)));
    columns.push_back({attribute, wire.image_types(i)});
  }
  return columns;
}

// The images of a delta that is counted and has no keys.
absl::Status ReadImages(std::string_view bytes, const v1::RelationDelta& head,
                        std::size_t memory_limit, DeltaSet* deltas) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<CapturedColumn> columns, ReadImageColumns(head));
  deltas->AddImage(head.relation(), columns, {}, 0);
  FieldReader reader(bytes);
  while (reader.Next()) {
    if (!reader.Is(FieldTag(v1::RelationDelta::kImagesFieldNumber))) continue;
    const std::string_view image = reader.content();
    if (image.size() < kWeightSize || !HasFields(image.substr(kWeightSize), columns.size())) {
      return absl::InvalidArgumentError("change record has a malformed image");
    }
    deltas->AddImage(head.relation(), columns, image.substr(kWeightSize), WeightOf(image));
    deltas->DegradeTo(memory_limit);
  }
  return absl::OkStatus();
}

// Keys that do not fit into `memory_limit` with the rest of `deltas` degrade relations.
absl::Status ReadDelta(std::string_view bytes, std::size_t memory_limit, DeltaSet* deltas) {
  constexpr char kKeyTag = FieldTag(v1::RelationDelta::kSourceKeysFieldNumber);
  v1::RelationDelta head;
  std::size_t count = 0;
  constexpr char kImageTag = FieldTag(v1::RelationDelta::kImagesFieldNumber);
  if (!ParseAround(bytes, kKeyTag, kImageTag, &head, [&](std::string_view) { ++count; })) {
    return NoRecord();
  }
  if (head.relation() == 0) return absl::InvalidArgumentError("change record names no relation");
  if (head.whole_relation()) {
    if (count != 0) {
      return absl::InvalidArgumentError("change record has source keys of a whole relation");
    }
    deltas->MarkWhole(head.relation());
    return absl::OkStatus();
  }
  if (head.counted() && count == 0) return ReadImages(bytes, head, memory_limit, deltas);
  TVIEWS_ASSIGN_OR_RETURN(const Layout layout, ReadLayout(head));
  if (count > 0)
    deltas->Reserve(head.relation(), layout, std::min(count, KeysWithin(memory_limit)));
  FieldReader reader(bytes);
  while (reader.Next()) {
    if (!reader.Is(kKeyTag)) continue;
    if (!HasFields(reader.content(), layout.columns.size())) {
      return absl::InvalidArgumentError("change record has a malformed source key");
    }
    if (head.counted()) {
      deltas->AddCounted(head.relation(), layout, reader.content());
    } else {
      deltas->Add(head.relation(), layout, reader.content());
    }
    deltas->DegradeTo(memory_limit);
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

absl::StatusOr<ChangeRecord> ParseChangeRecord(std::string_view bytes, std::size_t memory_limit) {
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) return NoRecord();
  v1::ChangeRecord head;
  std::vector<std::string_view> deltas;
  constexpr char kDeltasTag = FieldTag(v1::ChangeRecord::kDeltasFieldNumber);
  if (!ParseAround(bytes, kDeltasTag, kDeltasTag, &head,
                   [&](std::string_view delta) { deltas.push_back(delta); })) {
    return NoRecord();
  }
  if (head.system_identifier() == 0 || head.database() == 0) {
    return absl::InvalidArgumentError("change record names no origin");
  }
  ChangeRecord record;
  record.origin = {head.system_identifier(), head.database()};
  record.written_at = head.written_at();
  for (const std::string_view delta : deltas) {
    TVIEWS_RETURN_IF_ERROR(ReadDelta(delta, memory_limit, &record.deltas));
  }
  return record;
}

}  // namespace tviews
