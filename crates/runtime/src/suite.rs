//! The one test suite that the real and the simulated side pass.
//!
//! Each case is a function of a [`Runtime`] with two shards and an empty directory.

mod disk;

mod net;

mod tasks;

use std::path::PathBuf;

use crate::real::{FileReads, RealRuntime};
use crate::sim::SimRuntime;
use crate::{Disk, Runtime};

/// How many seeds each case runs with in the simulation.
const SEEDS: u64 = 20;

/// Runs the case on the machine, which reads files in this way.
fn on_real<Fut: Future<Output = ()> + 'static>(
    name: &str,
    reads: FileReads,
    case: fn(Runtime, PathBuf) -> Fut,
) {
    let dir = std::env::temp_dir().join(format!("helenus-runtime-{}-{name}-{reads:?}", std::process::id()));
    let real = match RealRuntime::start_with(2, reads) {
        Ok(real) => real,
        Err(error) if reads == FileReads::Uring => {
            return println!("{name}: skipped, this machine refuses io_uring: {error}");
        }
        Err(error) => panic!("threads do not start: {error}"),
    };
    real.runtime().disk().create_dir_all(&dir).expect("a directory is made");
    let case_dir = dir.clone();
    real.block_on(move |runtime| case(runtime, case_dir));
    real.runtime().disk().remove_dir_all(&dir).expect("the directory is removed");
}

/// Runs the case in simulations.
fn on_sim<Fut: Future<Output = ()> + 'static>(case: fn(Runtime, PathBuf) -> Fut) {
    for seed in 0..SEEDS {
        let sim = SimRuntime::with_shards(seed, 2);
        let dir = PathBuf::from("/data");
        sim.disk().create_dir_all(&dir).expect("a directory is made");
        sim.block_on(move |runtime| case(runtime, dir));
    }
}

/// Makes each case a test on both sides.
macro_rules! both {
    ($($room:ident::$case:ident)*) => {
        mod on_the_machine {
            $(#[test] fn $case() {
                super::on_real(stringify!($case), super::FileReads::Threads, super::$room::$case);
            })*
        }
        mod on_the_machine_with_io_uring {
            $(#[test] fn $case() {
                super::on_real(stringify!($case), super::FileReads::Uring, super::$room::$case);
            })*
        }
        mod in_the_simulation {
            $(#[test] fn $case() { super::on_sim(super::$room::$case); })*
        }
    };
}

both! {
    disk::bytes_come_back_from_where_they_were_put
    disk::open_modes_make_empty_or_refuse
    disk::a_read_only_file_is_not_written
    disk::rename_replaces_and_list_is_sorted
    disk::errors_have_the_same_kinds
    disk::a_removed_file_goes_on_for_who_has_it_open
    disk::hard_links_are_one_file
    disk::lengths_are_cut_filled_and_reserved
    disk::a_lock_refuses_the_second_and_tells_the_first
    disk::a_file_is_replaced_whole
    disk::reads_that_nobody_waits_for_on_a_thread
    disk::what_is_read_at_once_is_all_of_it
    disk::many_reads_at_once_and_some_that_nobody_wants
    net::bytes_go_both_ways_and_end
    net::a_stream_moves_to_another_shard
    net::more_than_the_buffers_hold_arrives
    net::nobody_listening_is_refused
    net::a_port_is_taken_once
    net::a_closed_reader_fails_the_writer
    tasks::sleeps_end_in_order_and_not_early
    tasks::timeout_ends_what_is_late_only
    tasks::shards_run_what_is_spawned_on_them
    tasks::blocking_work_returns_its_value
    tasks::a_panic_goes_to_who_awaits_the_job
    tasks::random_numbers_differ
    tasks::the_wall_clock_is_of_this_century
}
