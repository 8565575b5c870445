#pragma once
// A table of kinds is a macro that calls its argument with the function of each kind, one a line.
// The function is in the file of the kind and returns its row. Where the macro is OBJECTIVES:
//   using Row = PartKind<Objective>;
//   OBJECTIVES(PALIMPSEST_DECLARE_ROW)
//   ... table("objective", {OBJECTIVES(PALIMPSEST_CALL_ROW)});

#define PALIMPSEST_DECLARE_ROW(function) Row function();
#define PALIMPSEST_CALL_ROW(function) function(),
