//! Areas against an oracle: GEOS, on whole numbers, says of a million places and real areas what lies in what, and PROJ
//! how far from the edge. `data/polygons/make_expected.py` made the answers without our code.
//! Beside it the promises that fuzzing tries to break (`targets`), replayed from a corpus.

mod corpus;
mod oracle;
mod places;
mod targets;
