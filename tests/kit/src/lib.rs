//! Private servers for tests and benchmarks: started on free ports, ended with whoever started them.
