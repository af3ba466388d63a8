//! Links between nodes over the network: gRPC with mutual TLS, behind the seam of [`crate::cluster::link`].
