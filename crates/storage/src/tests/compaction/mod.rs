//! Compaction: what is read stays the same, what nobody sees goes, and no crash loses or resurrects anything.

mod crashes;
mod damage;
mod laws;
mod operations;
mod planted;
mod purge;
mod rich;
mod speed;
