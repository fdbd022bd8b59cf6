#include "shared/lineage.h"

#include <algorithm>

namespace tviews {

namespace {

bool AnyOf(const std::vector<AttributeNumber>& relevant,
           const std::vector<AttributeNumber>& changed) {
  if (changed.empty()) return true;
  return std::any_of(relevant.begin(), relevant.end(), [&](AttributeNumber attribute) {
    return attribute == 0 || std::find(changed.begin(), changed.end(), attribute) != changed.end();
  });
}

}  // namespace

const char* StrategyName(Strategy strategy) {
  switch (strategy) {
    case Strategy::kDirect:
      return "direct";
    case Strategy::kLookup:
      return "lookup";
    case Strategy::kFull:
      break;
  }
  return "full";
}

Strategy SourceLineage::strategy() const {
  if (paths.empty()) return Strategy::kFull;
  Strategy weakest = Strategy::kDirect;
  for (const LineagePath& path : paths) weakest = std::max(weakest, path.strategy);
  return weakest;
}

std::vector<CapturedColumn> SourceLineage::captured() const {
  std::vector<CapturedColumn> columns;
  for (const LineagePath& path : paths) {
    columns.insert(columns.end(), path.captured.begin(), path.captured.end());
  }
  std::sort(columns.begin(), columns.end());
  columns.erase(std::unique(columns.begin(), columns.end()), columns.end());
  return columns;
}

bool LineagePath::IsRelevant(const std::vector<AttributeNumber>& changed) const {
  return AnyOf(relevant, changed);
}

bool SourceLineage::IsRelevant(const std::vector<AttributeNumber>& changed) const {
  return AnyOf(relevant, changed);
}

}  // namespace tviews
