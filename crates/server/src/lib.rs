//! The node: native transport, configuration, life cycle.
