//! What a bridge is: the trait, its capabilities, errors and layers.
