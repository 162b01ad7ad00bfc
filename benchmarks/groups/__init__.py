"""The groups of rows, in the order of the report: one file each, whose `rows(effort)` gives them.

To add one: the file, and its name here; a program in C is added to cmake/bench.cmake."""

GROUPS = ("frame", "mask", "utf8", "envelope", "zstd", "hub", "python")
