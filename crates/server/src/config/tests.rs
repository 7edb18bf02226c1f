use super::*;

fn file(text: &str) -> Sources {
    Sources { file: Some((text.to_owned(), "cassandra.yaml".to_owned())), ..Sources::default() }
}

#[track_caller]
fn check_error(sources: &Sources, want: &str) {
    let error = Config::load(sources).expect_err("it must be refused").0;
    assert!(error.contains(want), "{error}");
}

#[test]
fn nothing_at_all_gives_a_node_on_loopback() {
    let config = Config::load(&Sources::default()).expect("defaults");
    assert_eq!((config.rpc_address.to_string().as_str(), config.native_transport_port), ("127.0.0.1", 9042));
    assert_eq!(config.commitlog_sync, SyncMode::Group { window: Duration::ZERO });
    assert_eq!(config.data_dir, PathBuf::from("helenus-data"));
}

#[test]
fn a_misspelt_key_names_its_line_and_the_nearest_key() {
    check_error(
        &file("cluster_name: x\nnative_transport_prot: 9043\n"),
        "cassandra.yaml, line 2: there is no setting native_transport_prot; did you mean native_transport_port?",
    );
    let set = Sources { settings: vec![("cluster_nam".to_owned(), "x".to_owned())], ..Sources::default() };
    check_error(&set, "did you mean cluster_name?");
}

#[test]
fn later_sources_win() {
    let mut sources = file("native_transport_port: 1\ncluster_name: 'from file'\n");
    sources.environment = vec![
        ("HELENUS_NATIVE_TRANSPORT_PORT".to_owned(), "2".to_owned()),
        ("PATH".to_owned(), "x".to_owned()),
    ];
    assert_eq!(Config::load(&sources).expect("environment").native_transport_port, 2);
    sources.settings = vec![("native_transport_port".to_owned(), "3".to_owned())];
    let config = Config::load(&sources).expect("set");
    assert_eq!((config.native_transport_port, config.cluster_name.as_str()), (3, "from file"));
}

#[test]
fn keys_of_cassandra_without_effect_are_named() {
    let config =
        Config::load(&file("concurrent_reads: 32\nendpoint_snitch: SimpleSnitch\n")).expect("known keys");
    assert_eq!(config.without_effect, ["concurrent_reads", "endpoint_snitch"]);
}

#[test]
fn an_open_address_without_login_must_be_asked_for() {
    check_error(&file("rpc_address: 0.0.0.0\n"), "allow_anonymous_clients");
    check_error(&file("listen_address: 192.168.0.1\n"), "allow_anonymous_clients");
    let config =
        Config::load(&file("rpc_address: 0.0.0.0\nallow_anonymous_clients: true\n")).expect("asked for");
    assert!(config.allow_anonymous_clients);
    check_error(&file("authenticator: PasswordAuthenticator\n"), "not yet supported");
}

#[test]
fn values_have_cassandras_units() {
    let text = "commitlog_sync: periodic\ncommitlog_sync_period: 500ms\nmemtable_heap_space: 64MiB\n";
    let config = Config::load(&file(text)).expect("units");
    assert_eq!(config.commitlog_sync, SyncMode::Periodic { period: Duration::from_millis(500) });
    assert_eq!(config.storage.memtable_bytes, 64 << 20);
    check_error(&file("memtable_heap_space: 64\n"), "memtable_heap_space must be a size");
    check_error(&file("num_tokens: 0\n"), "num_tokens must be a whole number from 1");
}

#[test]
fn the_admin_port_is_cassandras_jmx_port_and_can_be_off() {
    let port = |text: &str| Config::load(&file(text)).expect("a port").admin_port;
    assert_eq!(port(""), Some(7199));
    assert_eq!(port("admin_port: 8199\n"), Some(8199));
    assert_eq!(port("admin_port: 0\n"), None);
    assert_eq!(port("admin_port: off\n"), None);
    check_error(&file("admin_port: 70000\n"), "admin_port must be a whole number from 0 to 65535");
    assert!(!Config::load(&Sources::default()).expect("defaults").is_admin_port_set);
}

#[test]
fn rates_are_read() {
    let rate = |text: &str| Config::load(&file(text)).expect("a rate").compaction_throughput_mib_per_s;
    assert_eq!(rate(""), 64);
    assert_eq!(rate("compaction_throughput: 16MiB/s\n"), 16);
    assert_eq!(rate("compaction_throughput: 0MiB/s\n"), 0);
    check_error(&file("compaction_throughput: fast\n"), "64MiB/s");
}

#[test]
fn keys_of_storage_have_cassandras_names_and_defaults() {
    use ::storage::{CommitFailurePolicy, DiskFailurePolicy};
    let defaults = Config::load(&Sources::default()).expect("defaults").storage;
    assert_eq!(defaults.disk_failure_policy, DiskFailurePolicy::Stop);
    assert_eq!(defaults.commit_failure_policy, CommitFailurePolicy::Stop);
    assert_eq!((defaults.max_mutation_bytes, defaults.max_value_bytes), (16 << 20, 256 << 20));
    let text = "disk_failure_policy: best_effort\ncommit_failure_policy: stop_commit\nmemtable_flush_writers: 3\n\
                memtable_offheap_space: 512MiB\nmax_mutation_size: 1MiB\naccept_commitlog_damage: true\n";
    let config = Config::load(&file(text)).expect("all of them").storage;
    assert_eq!(config.disk_failure_policy, DiskFailurePolicy::BestEffort);
    assert_eq!(config.commit_failure_policy, CommitFailurePolicy::StopCommit);
    assert!((config.memtable_cleanup_threshold - 0.25).abs() < 1e-9 && config.accept_commitlog_damage);
    assert_eq!((config.memtable_bytes, config.max_mutation_bytes), (1 << 30, 1 << 20));
    check_error(&file("disk_failure_policy: panic\n"), "there are die, stop_paranoid");
    check_error(&file("max_mutation_size: 20MiB\n"), "must be at least twice max_mutation_size");
    check_error(&file("memtable_cleanup_threshold: 2\n"), "memtable_cleanup_threshold must be >= 0.01");
}

#[test]
fn caches_are_cassandras() {
    let caches = Config::load(&file("")).expect("defaults").caches;
    assert!(caches.key_bytes > 0 && caches.key_bytes <= 100 << 20);
    assert_eq!((caches.row_bytes, caches.row_save_period.as_secs()), (0, 0));
    assert_eq!((caches.key_save_period.as_secs(), caches.keys_to_save), (14_400, usize::MAX));
    let text = "key_cache_size: 0MiB\nrow_cache_size: 16MiB\nrow_cache_save_period: 60\nkey_cache_save_period: 1h\n\
                row_cache_keys_to_save: 100\nsaved_caches_directory: /c\ncache_load_timeout: 5s\n";
    let config = Config::load(&file(text)).expect("set");
    assert!(config.without_effect.is_empty());
    let caches = config.caches;
    assert_eq!((caches.key_bytes, caches.row_bytes, caches.rows_to_save), (0, 16 << 20, 100));
    assert_eq!((caches.row_save_period.as_secs(), caches.key_save_period.as_secs()), (60, 3_600));
    assert_eq!(caches.saved_dir.as_deref(), Some(std::path::Path::new("/c")));
    check_error(&file("row_cache_size: much\n"), "row_cache_size");
    check_error(&file("row_cache_save_period: soon\n"), "row_cache_save_period");
}

#[test]
fn thresholds_of_batches_have_two_names_and_cassandras_defaults() {
    let batches = |text: &str| Config::load(&file(text)).expect("thresholds").batches;
    let default = batches("");
    assert_eq!((default.warn_bytes, default.fail_bytes, default.warn_partitions), (5120, 51_200, 10));
    let set = batches(
        "batch_size_warn_threshold: 1KiB\nbatch_size_fail_threshold_in_kb: 2\n\
         unlogged_batch_across_partitions_warn_threshold: 3\n",
    );
    assert_eq!((set.warn_bytes, set.fail_bytes, set.warn_partitions), (1024, 2048, 3));
    check_error(&file("batch_size_fail_threshold: 2000000000MiB\n"), "batch_size_fail_threshold");
}
