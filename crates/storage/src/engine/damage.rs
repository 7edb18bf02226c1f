//! Damage: what a failed disk, a full one or a damaged SSTable does to the node, by `disk_failure_policy` and
//! `commit_failure_policy`.
//!
//! A damaged SSTable is set aside: a file beside it ([`MARK_NAME`]) says so over restarts, compactions leave it alone,
//! and it is listed. What cannot be served of it is answered with an error, not with rows missing; under `best_effort`
//! without it. Nothing is deleted.
//!
//! Read in order: [`reaction`] (the table of policies), [`Damage`] (what is known), [`Core::set_aside_sstable`].

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use model::partition::{PartitionHeader, PartitionStream, SourceError, TakePlain};
use model::read::Position;
use model::{PlainParts, TableId, Token, Unfiltered};
use parking_lot::Mutex;
use runtime::Disk;
use sstable::{Descriptor, SsTable};
use stdx::crc::crc32;

use super::Core;
use crate::commitlog::LogListener;
use crate::options::{CommitFailurePolicy, DiskFailurePolicy, FailureAction, FailureListener};
use crate::table::TableState;
use crate::{EngineOptions, OpenError, ReadError};

/// What the mark of an SSTable that is set aside is called, after its prefix.
pub(super) const MARK_NAME: &str = "SetAside.txt";
const FIRST_LINE: &str = "helenus set aside 1";

/// Whether the engine takes requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Writes are applied.
    pub accepts_writes: bool,
    /// Reads shall be served.
    pub accepts_reads: bool,
    /// Why one of them is not.
    pub reason: Option<String>,
}

/// A damaged SSTable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Which.
    pub descriptor: Descriptor,
    /// Of which table.
    pub table: TableId,
    /// What was found.
    pub why: String,
    /// Reads still look into it, and fail where it is damaged. Otherwise it is left alone.
    pub is_served: bool,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// An SSTable contradicts itself.
    Corrupt,
    /// A read or write failed, other than for want of room.
    Io,
    /// There is no room.
    NoSpace,
}

/// What is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// The process ends; at its start it does not come up.
    Die,
    /// Clients are not served any more; at its start the node does not come up.
    StopServing,
    /// The SSTable is listed and not compacted; reads that meet the damage fail.
    SetAside,
    /// The same, but answers are given without it.
    LeaveOut,
    /// Writes are refused until there is room; reads go on.
    RefuseWrites,
    /// Only the request at hand fails.
    FailRequest,
}

/// The table of `disk_failure_policy`.
pub(crate) fn reaction(policy: DiskFailurePolicy, trouble: Trouble) -> Reaction {
    use DiskFailurePolicy::{BestEffort, Die, Ignore, Stop, StopParanoid};
    match (policy, trouble) {
        (_, Trouble::NoSpace) => Reaction::RefuseWrites,
        (Die, _) => Reaction::Die,
        (StopParanoid, _) | (Stop, Trouble::Io) => Reaction::StopServing,
        (Stop, Trouble::Corrupt) => Reaction::SetAside,
        (BestEffort, _) => Reaction::LeaveOut,
        (Ignore, _) => Reaction::FailRequest,
    }
}

/// What is done about a commit log that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommitReaction {
    Act(FailureAction),
    RefuseWrites,
    FailRequest,
}

/// The table of `commit_failure_policy`.
pub(crate) fn commit_reaction(policy: CommitFailurePolicy) -> CommitReaction {
    match policy {
        CommitFailurePolicy::Die => CommitReaction::Act(FailureAction::Die),
        CommitFailurePolicy::Stop => CommitReaction::Act(FailureAction::StopServing),
        CommitFailurePolicy::StopCommit => CommitReaction::RefuseWrites,
        CommitFailurePolicy::Ignore => CommitReaction::FailRequest,
    }
}

/// Whether an error, or what caused it, is a full disk.
pub(crate) fn is_no_space(error: &(dyn std::error::Error + 'static)) -> bool {
    find_io(error).is_some_and(|io| {
        matches!(io.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
            || io.kind() == std::io::ErrorKind::FileTooLarge
    })
}

/// The system's answer in an error.
fn find_io<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e std::io::Error> {
    if let Some(io) = error.downcast_ref::<std::io::Error>() {
        return Some(io);
    }
    if let Some(OpenError::Io { source, .. }) = error.downcast_ref::<OpenError>() {
        return Some(source);
    }
    if let Some(OpenError::SsTable { source, .. }) = error.downcast_ref::<OpenError>() {
        return find_io(&**source);
    }
    match error.downcast_ref::<sstable::WriteError>() {
        Some(sstable::WriteError::Io { source, .. }) => return Some(source),
        Some(sstable::WriteError::Source(source)) => return find_io(&**source),
        _ => {}
    }
    if let Some(sstable::ReadError::Io { source, .. }) = error.downcast_ref::<sstable::ReadError>() {
        return Some(source);
    }
    error.source().and_then(find_io)
}

/// What kind of trouble an error of an SSTable is; `None`: none of the disk's.
pub(crate) fn trouble_of(error: &(dyn std::error::Error + 'static)) -> Option<Trouble> {
    if is_no_space(error) {
        return Some(Trouble::NoSpace);
    }
    if find_io(error).is_some() {
        return Some(Trouble::Io);
    }
    let read = error.downcast_ref::<sstable::ReadError>();
    matches!(read, Some(sstable::ReadError::Corrupt { .. })).then_some(Trouble::Corrupt)
}

/// What is known of damage.
pub(crate) struct Damage {
    policy: DiskFailurePolicy,
    listener: Option<FailureListener>,
    core: OnceLock<Weak<Core>>,
    state: Mutex<State>,
    /// SSTables whose rows reads must not pass over in silence.
    missing_count: AtomicUsize,
    is_stopped: AtomicBool,
}

#[derive(Default)]
struct State {
    action: Option<(FailureAction, String)>,
    set_aside: Vec<Entry>,
}

struct Entry {
    shown: SetAside,
    /// First and last token; `None`: nobody knows.
    tokens: Option<(Token, Token)>,
    /// Reads of its range fail.
    is_missing: bool,
}

impl Damage {
    pub(super) fn new(options: &EngineOptions) -> Arc<Damage> {
        Arc::new(Damage {
            policy: options.disk_failure_policy,
            listener: options.on_failure.clone(),
            core: OnceLock::new(),
            state: Mutex::default(),
            missing_count: AtomicUsize::new(0),
            is_stopped: AtomicBool::new(false),
        })
    }

    /// From now on damage that a read meets is acted upon.
    pub(super) fn start(&self, core: &Arc<Core>) {
        let _only_once = self.core.set(Arc::downgrade(core));
    }

    pub(super) fn set_aside(&self) -> Vec<SetAside> {
        self.state.lock().set_aside.iter().map(|entry| entry.shown.clone()).collect()
    }

    /// True if compactions must leave the SSTable alone.
    pub(crate) fn is_set_aside(&self, descriptor: &Descriptor) -> bool {
        self.state.lock().set_aside.iter().any(|entry| entry.shown.descriptor == *descriptor)
    }

    /// It is gone, or was replaced by a sound one.
    pub(crate) fn forget(&self, descriptor: &Descriptor) {
        self.forget_if(|entry| entry.shown.descriptor == *descriptor);
    }

    /// All of a table are gone.
    pub(super) fn forget_table(&self, table: TableId) {
        self.forget_if(|entry| entry.shown.table == table);
    }

    fn forget_if(&self, is_gone: impl Fn(&Entry) -> bool) {
        let mut state = self.state.lock();
        state.set_aside.retain(|entry| !is_gone(entry));
        let missing = state.set_aside.iter().filter(|entry| entry.is_missing).count();
        self.missing_count.store(missing, Ordering::Release);
    }

    fn add(&self, entry: Entry) {
        let mut state = self.state.lock();
        state.set_aside.retain(|old| old.shown.descriptor != entry.shown.descriptor);
        state.set_aside.push(entry);
        let missing = state.set_aside.iter().filter(|entry| entry.is_missing).count();
        self.missing_count.store(missing, Ordering::Release);
    }

    /// An error if rows between these places may be missing.
    pub(super) fn check(
        &self,
        table: TableId,
        start: Option<&Position>,
        end: Option<&Position>,
    ) -> Result<(), ReadError> {
        if self.missing_count.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        let state = self.state.lock();
        let concerned = |entry: &&Entry| {
            let lies_between = entry.tokens.is_none_or(|(first, last)| {
                start.is_none_or(|start| start.token <= last) && end.is_none_or(|end| first <= end.token)
            });
            entry.is_missing && entry.shown.table == table && lies_between
        };
        match state.set_aside.iter().find(concerned) {
            None => Ok(()),
            Some(entry) => Err(ReadError::SetAside {
                descriptor: entry.shown.descriptor.to_string(),
                why: entry.shown.why.clone(),
            }),
        }
    }

    /// [`Damage::check`] of one partition.
    pub(super) fn check_token(&self, table: TableId, token: Token) -> Result<(), ReadError> {
        if self.missing_count.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        let place = Position { token, place: model::read::Place::AfterAll };
        self.check(table, Some(&place), Some(&place))
    }

    /// Tells the node what it must do, once.
    pub(crate) fn act(&self, action: FailureAction, why: &str) {
        {
            let mut state = self.state.lock();
            if state.action.as_ref().is_some_and(|(done, _)| *done >= action) {
                return;
            }
            state.action = Some((action, why.to_owned()));
        }
        self.is_stopped.store(true, Ordering::Release);
        match action {
            FailureAction::StopServing => tracing::error!("clients are not served any more: {why}"),
            FailureAction::Die => tracing::error!("the node ends: {why}"),
        }
        if let Some(FailureListener(listener)) = &self.listener {
            listener(action, why);
        }
    }

    /// True if the node shall not serve.
    pub(crate) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Acquire)
    }

    /// Why the node shall not serve.
    pub(crate) fn stopped(&self) -> Option<String> {
        self.state.lock().action.as_ref().map(|(_, why)| why.clone())
    }

    /// A write to the disk, other than to the commit log, failed.
    pub(crate) fn write_failed(&self, error: &(dyn std::error::Error + 'static), what: &str) {
        let Some(trouble) = trouble_of(error) else { return };
        match reaction(self.policy, trouble) {
            Reaction::Die => self.act(FailureAction::Die, what),
            // The only disk cannot be written: nothing is left to be done with it.
            Reaction::StopServing | Reaction::LeaveOut => self.act(FailureAction::StopServing, what),
            Reaction::SetAside | Reaction::RefuseWrites | Reaction::FailRequest => {}
        }
    }

    /// Who reads this table's SSTables keeps an eye on them.
    pub(super) fn watch(self: &Arc<Self>, table: &Arc<TableState>) -> Watch {
        Watch { damage: self.clone(), table: table.clone() }
    }

    /// A read failed. Acts in the background, if the error is the disk's.
    pub(super) fn read_failed(
        &self,
        table: &Arc<TableState>,
        sstable: &Arc<SsTable>,
        error: &(dyn std::error::Error + 'static),
    ) {
        let Some(trouble) = trouble_of(error) else { return };
        let Some(core) = self.core.get().and_then(Weak::upgrade) else { return };
        let (table, sstable, why) = (table.clone(), sstable.clone(), error.to_string());
        let worker = core.clone();
        // It logs what it does; the read fails by itself.
        drop(core.runtime.background(move || worker.set_aside_sstable_for(&table, &sstable, &why, trouble)));
    }
}

/// Acts upon what is wrong with a table's SSTables.
#[derive(Clone)]
pub(super) struct Watch {
    damage: Arc<Damage>,
    table: Arc<TableState>,
}

impl Watch {
    /// Follows a stream of an SSTable.
    pub(super) fn stream(
        &self,
        sstable: &Arc<SsTable>,
        stream: Box<dyn PartitionStream>,
    ) -> Box<dyn PartitionStream> {
        Box::new(Watched { stream, watch: self.clone(), sstable: sstable.clone() })
    }

    /// A read of the SSTable failed.
    pub(super) fn failed(&self, sstable: &Arc<SsTable>, error: &(dyn std::error::Error + 'static)) {
        self.damage.read_failed(&self.table, sstable, error);
    }
}

/// Acts upon what happens to the commit log.
pub(super) struct LogEvents(pub(super) Weak<Core>);

impl LogListener for LogEvents {
    fn supply_changed(&self) {
        if let Some(core) = self.0.upgrade() {
            core.let_in();
        }
    }

    fn log_failed(&self, why: &str) -> bool {
        let Some(core) = self.0.upgrade() else { return false };
        let why = format!("the commit log failed: {why}");
        match commit_reaction(core.options.commit_failure_policy) {
            CommitReaction::Act(action) => core.damage.act(action, &why),
            CommitReaction::RefuseWrites => {}
            CommitReaction::FailRequest => return true,
        }
        false
    }
}

struct Watched {
    stream: Box<dyn PartitionStream>,
    watch: Watch,
    sstable: Arc<SsTable>,
}

impl PartitionStream for Watched {
    fn header(&self) -> &PartitionHeader {
        self.stream.header()
    }

    fn plain_rows(&mut self, parts: &mut PlainParts, take: TakePlain<'_>) -> Result<u64, SourceError> {
        let count = self.stream.plain_rows(parts, take);
        if let Err(error) = &count {
            self.watch.failed(&self.sstable, &**error);
        }
        count
    }

    fn next(&mut self) -> Result<Option<Unfiltered>, SourceError> {
        let next = self.stream.next();
        if let Err(error) = &next {
            self.watch.failed(&self.sstable, &**error);
        }
        next
    }
}

impl Core {
    pub(super) fn health(&self) -> Health {
        let stopped = self.damage.stopped();
        let log_failure = self.log.failure.get().cloned();
        Health {
            accepts_reads: stopped.is_none(),
            accepts_writes: stopped.is_none() && log_failure.is_none(),
            reason: stopped.or(log_failure),
        }
    }

    /// An SSTable that is served turned out to be damaged: it is listed, marked for later starts and no longer compacted;
    /// the policy says whether it is still read and whether the node goes on. Blocks.
    pub(crate) fn set_aside_sstable(&self, table: &TableState, sstable: &SsTable, why: &str) {
        self.set_aside_sstable_for(table, sstable, why, Trouble::Corrupt);
    }

    fn set_aside_sstable_for(&self, table: &TableState, sstable: &SsTable, why: &str, trouble: Trouble) {
        let descriptor = sstable.descriptor();
        let reaction = match reaction(self.options.disk_failure_policy, trouble) {
            // Without a part of the node's own tables nothing is right.
            Reaction::LeaveOut if table.is_local => Reaction::SetAside,
            reaction => reaction,
        };
        let what = format!("SSTable {descriptor} is damaged: {why}");
        if matches!(reaction, Reaction::FailRequest | Reaction::RefuseWrites) {
            tracing::error!("{what}");
            return;
        }
        if self.damage.is_set_aside(descriptor) {
            return;
        }
        let is_served = reaction != Reaction::LeaveOut;
        let metadata = sstable.metadata();
        let tokens = Some((metadata.first.token, metadata.last.token));
        let shown =
            SetAside { descriptor: descriptor.clone(), table: table.id, why: why.to_owned(), is_served };
        if trouble == Trouble::Corrupt {
            self.mark(descriptor, tokens, why);
        }
        if !is_served {
            for slot in 0..table.slots.len() {
                let _shard = self.logs[slot].lock();
                table.change_data(slot, |view| view.sstables.retain(|one| one.descriptor() != descriptor));
            }
        }
        self.damage.add(Entry { shown, tokens, is_missing: false });
        tracing::error!(
            "{what}; it is set aside: {}, and it is compacted no more. Scrub it, or restore it from a backup",
            if is_served {
                "what lies in its damaged parts is answered with an error"
            } else {
                "answers come without it"
            }
        );
        match reaction {
            Reaction::Die => self.damage.act(FailureAction::Die, &what),
            Reaction::StopServing => self.damage.act(FailureAction::StopServing, &what),
            _ => {}
        }
    }

    /// An SSTable cannot be opened at the start. An error: the node must not start.
    pub(super) fn set_aside_unopened(
        &self,
        table: &TableState,
        descriptor: &Descriptor,
        mark: Option<&Mark>,
        error: sstable::ReadError,
    ) -> Result<(), OpenError> {
        let trouble = trouble_of(&error);
        let policy = self.options.disk_failure_policy;
        let reaction = trouble.map_or(Reaction::Die, |trouble| reaction(policy, trouble));
        let may_start = matches!(reaction, Reaction::SetAside | Reaction::LeaveOut | Reaction::FailRequest);
        if table.is_local || !may_start {
            return Err(OpenError::SsTable {
                path: PathBuf::from(descriptor.to_string()),
                source: Box::new(error),
            });
        }
        let why = error.to_string();
        let tokens = mark.and_then(|mark| mark.tokens);
        if mark.is_none() && reaction != Reaction::FailRequest {
            self.mark(descriptor, tokens, &why);
        }
        let is_missing = reaction == Reaction::SetAside;
        tracing::error!(
            "SSTable {descriptor} is damaged and set aside: {why}. {}. Scrub it, restore it from a backup, or remove its files",
            if is_missing { "Reads that it may concern fail" } else { "Answers come without it" }
        );
        let shown = SetAside { descriptor: descriptor.clone(), table: table.id, why, is_served: false };
        self.damage.add(Entry { shown, tokens, is_missing });
        Ok(())
    }

    /// An SSTable that was set aside in an earlier run can be opened: whether it is served.
    pub(super) fn is_served_with_mark(&self, table: &TableState, sstable: &SsTable, mark: &Mark) -> bool {
        let is_served = self.options.disk_failure_policy != DiskFailurePolicy::BestEffort || table.is_local;
        let descriptor = sstable.descriptor().clone();
        tracing::error!(
            "SSTable {descriptor} is set aside since an earlier run: {}. {}",
            mark.why,
            if is_served { "Reads that meet the damage fail" } else { "Answers come without it" }
        );
        let tokens = Some((sstable.metadata().first.token, sstable.metadata().last.token));
        let shown = SetAside { descriptor, table: table.id, why: mark.why.clone(), is_served };
        self.damage.add(Entry { shown, tokens, is_missing: false });
        is_served
    }

    fn mark(&self, descriptor: &Descriptor, tokens: Option<(Token, Token)>, why: &str) {
        let path = mark_path(descriptor);
        let mark = Mark { tokens, why: why.to_owned() };
        if let Err(error) = self.runtime.disk().write_all_synced(&path, mark.to_text().as_bytes()) {
            tracing::error!("{} cannot be written: {error}", path.display());
        }
    }
}

/// Where the mark of an SSTable is.
fn mark_path(descriptor: &Descriptor) -> PathBuf {
    descriptor.directory.join(descriptor.file_name(MARK_NAME))
}

/// Takes the mark away, if there is one.
pub(crate) fn remove_mark(disk: &dyn Disk, descriptor: &Descriptor) -> Result<(), OpenError> {
    let path = mark_path(descriptor);
    if disk.exists(&path).map_err(OpenError::io(&path))? {
        disk.remove_file(&path).map_err(OpenError::io(&path))?;
    }
    Ok(())
}

/// Reads the mark of an SSTable.
pub(super) fn load_mark(disk: &dyn Disk, descriptor: &Descriptor) -> Result<Mark, OpenError> {
    let path = mark_path(descriptor);
    let bytes = disk.read_all(&path).map_err(OpenError::io(&path))?;
    Ok(Mark::parse(&String::from_utf8_lossy(&bytes)))
}

/// What the mark says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    tokens: Option<(Token, Token)>,
    why: String,
}

impl Mark {
    fn to_text(&self) -> String {
        let tokens =
            self.tokens.map_or_else(|| "all".to_owned(), |(first, last)| format!("{} {}", first.0, last.0));
        let body = format!("{FIRST_LINE}\ntokens {tokens}\nwhy {}\n", self.why.replace('\n', " "));
        format!("{body}crc {:08x}\n", crc32(body.as_bytes()))
    }

    /// A mark that cannot be read still is one.
    fn parse(text: &str) -> Mark {
        let parsed = || {
            let (body, crc) = text.trim_end().rsplit_once('\n')?;
            let crc = u32::from_str_radix(crc.strip_prefix("crc ")?, 16).ok()?;
            (crc == crc32(format!("{body}\n").as_bytes())).then_some(())?;
            let mut lines = body.lines().skip(1);
            let tokens = lines.next()?.strip_prefix("tokens ")?;
            let tokens = match tokens.split_once(' ') {
                Some((first, last)) => Some((Token(first.parse().ok()?), Token(last.parse().ok()?))),
                None => None,
            };
            Some(Mark { tokens, why: lines.next()?.strip_prefix("why ")?.to_owned() })
        };
        parsed().unwrap_or_else(|| Mark { tokens: None, why: "its mark cannot be read".to_owned() })
    }
}
