#pragma once
// A table of kinds is a macro that calls its argument with the function of each kind, one a line.
// The function is in the file of the kind and returns its row. Where the macro is OBJECTIVES,
//   PALIMPSEST_PART_TABLE(objectives, Objective, "objective", OBJECTIVES)
// declares these functions and defines objectives(), the table of their rows.
#include "palimpsest/kinds/kind_table.h"

#define PALIMPSEST_DECLARE_ROW(function) Row function();
#define PALIMPSEST_CALL_ROW(function) function(),
#define PALIMPSEST_PART_TABLE(table, Part, noun, ROWS)                    \
  using Row = PartKind<Part>;                                             \
  ROWS(PALIMPSEST_DECLARE_ROW)                                            \
  const PartTable<Part>& table() {                                        \
    static const PartTable<Part> rows(noun, {ROWS(PALIMPSEST_CALL_ROW)}); \
    return rows;                                                          \
  }
