//! SELECT, executed: partitions in, rows of the result out.
//!
//! Pulls partitions from a [`RowSource`], keeps what lives and passes the filters, and hands each value
//! of a result row to a [`RowSink`], which is the reply under construction. Plain columns of one
//! partition go from the cell to the reply without a stop.
//!
//! Read in order: [`execute`], [`row`] (one row's values), [`reduce`] (aggregates and groups), [`paging`].
//!
//! Never here: sockets, other nodes, clocks (`now_s` comes with the request).

use std::ops::ControlFlow;

use cql::ast::Operator;
use cql::bind::restrict;
use cql::bind::select::{Access, Filter, FilterKind, Partitions, SelectPlan};
use cql::bind::term::EvalContext;
use model::partition::{PartitionIterator, PartitionStream};
use model::read::{Place, Position};
use model::value::collection;
use model::{
    Bound, BoundKind, BoundValue, Clustering, PartitionKey, PartitionSelection, PlainParts, PlainRow,
    QueryError, ReadCommand, Row, Slice, Slices, Token, Unfiltered, Value,
};

pub mod paging;
pub mod reduce;
pub mod row;

pub use paging::PagingPosition;

use reduce::{Groups, LastRow};
use row::{RowRef, RowView, evaluate, is_live};

/// Tombstones read by one query that are worth a warning, and that end it.
const TOMBSTONE_WARN_COUNT: u64 = 1000;
const TOMBSTONE_FAIL_COUNT: u64 = 100_000;

/// Bytes of a reply that no page may exceed.
const REPLY_MAX_BYTES: usize = 256 << 20;
/// How long one page may take (`range_request_timeout`), and how many rows are read between two looks at the clock.
const READ_TIMEOUT_US: i64 = 10_000_000;
const ROWS_BETWEEN_LOOKS: u64 = 4096;
/// Rows after which a read leaves the thread of its request, which serves others too.
const ROWS_ON_THREAD_MAX: u64 = 2 * ROWS_BETWEEN_LOOKS;

/// Where partitions come from.
pub trait RowSource {
    /// The partitions that a command selects, in token order.
    fn read(&self, command: ReadCommand) -> Result<Box<dyn PartitionIterator>, QueryError>;
}

/// Where the result goes.
pub trait RowSink {
    /// The next value of the current row.
    fn value(&mut self, value: Option<&[u8]>);
    /// The current row is complete.
    fn end_row(&mut self);
    /// True if the reply may not grow any more.
    fn is_full(&self) -> bool {
        false
    }
}

impl RowSink for wire::RowsWriter<'_> {
    #[inline(always)]
    fn value(&mut self, value: Option<&[u8]>) {
        wire::RowsWriter::value(self, value);
    }

    #[inline]
    fn end_row(&mut self) {
        wire::RowsWriter::end_row(self);
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.body_bytes() > REPLY_MAX_BYTES
    }
}

/// What a request says beside its statement and values.
#[derive(Clone, Debug, Default)]
pub struct SelectOptions {
    /// Rows a page; `None`: all at once.
    pub page_size: Option<u32>,
    /// Where the previous page ended.
    pub paging: Option<PagingPosition>,
    /// Second at which expiry is judged.
    pub now_s: u32,
}

/// What came of it, beside the rows.
#[derive(Clone, Debug, Default)]
pub struct SelectOutcome {
    /// Where the next page begins, if there may be one.
    pub next_page: Option<PagingPosition>,
    /// Number of rows given.
    pub rows_count: u64,
    /// Warnings for the client.
    pub warnings: Vec<String>,
}

/// Runs a bound SELECT.
pub fn execute<S: RowSink>(
    plan: &SelectPlan,
    ctx: &EvalContext<'_>,
    options: &SelectOptions,
    source: &dyn RowSource,
    sink: &mut S,
) -> Result<SelectOutcome, QueryError> {
    let limit = limit_of(plan.limit.as_ref(), ctx)?;
    let per_partition =
        if plan.distinct { Some(1) } else { limit_of(plan.per_partition_limit.as_ref(), ctx)? };
    let filters = bind_filters(plan, ctx)?;
    let (slices, _) = restrict::slices(&plan.clustering, &plan.table, ctx)?;
    let mut run = Run {
        plan,
        ctx,
        now_s: options.now_s,
        filters,
        slices,
        per_partition: per_partition.map_or(u64::from(u32::MAX), u64::from),
        remaining: limit.map_or(u64::from(u32::MAX), u64::from),
        page: options.page_size.map_or(u64::MAX, u64::from),
        groups: (plan.selection.is_aggregate() || plan.group_by.is_some()).then(|| Groups::new(plan)),
        sorted: None,
        outcome: SelectOutcome::default(),
        scratch: Vec::new(),
        parts: PlainParts::default(),
        tombstones_count: 0,
        live_count: 0,
        rows_read_count: 0,
        started_us: ctx.source.now_us(),
    };
    if run.groups.is_some() && plan.group_by.is_none() {
        // One row comes of all: LIMIT and pages speak of that row.
        run.page = u64::MAX;
        run.remaining = u64::from(u32::MAX);
    }
    let keys = match &plan.partitions {
        Partitions::Keys(restrictions) => Some(restrict::partition_keys(restrictions, &plan.table, ctx)?),
        Partitions::Range { .. } => None,
    };
    let several = keys.as_ref().is_some_and(|keys| keys.len() > 1);
    let is_whole = run.groups.is_some() && plan.group_by.is_none();
    if several && plan.is_ordered && !is_whole {
        if run.page < run.remaining && options.page_size.is_some() {
            return Err(QueryError::invalid(
                "Cannot page queries with both ORDER BY and a IN restriction on the partition key; you must either \
                 remove the ORDER BY or the IN and sort client side, or disable paging for this query",
            ));
        }
        run.sorted = Some(Vec::new());
    }
    if let Some(paging) = &options.paging {
        run.remaining = u64::from(paging.remaining);
    }
    run.warn_about_aggregation();
    match keys {
        Some(keys) => run.read_keys(&keys, options.paging.as_ref(), source, sink)?,
        None => run.read_range(options.paging.as_ref(), source, sink)?,
    }
    run.finish(sink)
}

fn limit_of(limit: Option<&cql::bind::Expr>, ctx: &EvalContext<'_>) -> Result<Option<u32>, QueryError> {
    let Some(limit) = limit else { return Ok(None) };
    match limit.evaluate(ctx)? {
        BoundValue::Unset => Ok(None),
        BoundValue::Null => Err(QueryError::invalid("Invalid null value of limit")),
        BoundValue::Value(bytes) => {
            let bytes: [u8; 4] =
                bytes.as_ref().try_into().map_err(|_| QueryError::invalid("Invalid limit value"))?;
            let limit = i32::from_be_bytes(bytes);
            u32::try_from(limit)
                .ok()
                .filter(|limit| *limit > 0)
                .map(Some)
                .ok_or_else(|| QueryError::invalid("LIMIT must be strictly positive"))
        }
    }
}

/// A filter with its values.
struct BoundFilter<'p> {
    filter: &'p Filter,
    operator: Operator,
    /// For a map's element.
    key: Option<bytes::Bytes>,
    /// One value, or those of IN.
    values: Vec<bytes::Bytes>,
    /// Alternatives of several columns.
    tuples: Vec<Vec<bytes::Bytes>>,
}

fn bind_filters<'p>(plan: &'p SelectPlan, ctx: &EvalContext<'_>) -> Result<Vec<BoundFilter<'p>>, QueryError> {
    let mut bound = Vec::with_capacity(plan.filters.len());
    for filter in &plan.filters {
        let value_of = |expr: &cql::bind::Expr| match expr.evaluate(ctx)? {
            BoundValue::Value(bytes) => Ok(bytes),
            BoundValue::Null => {
                Err(QueryError::Invalid(format!("Unsupported null value for column {}", filter.name)))
            }
            BoundValue::Unset => {
                Err(QueryError::Invalid(format!("Unsupported unset value for column {}", filter.name)))
            }
        };
        let one = |operator, key, values| BoundFilter { filter, operator, key, values, tuples: Vec::new() };
        bound.push(match &filter.kind {
            FilterKind::Compare(operator, expr) => one(*operator, None, vec![value_of(expr)?]),
            FilterKind::In(exprs) => {
                one(Operator::Eq, None, exprs.iter().map(value_of).collect::<Result<_, _>>()?)
            }
            FilterKind::InMarker(index) => {
                let Some(BoundValue::Value(list)) = ctx.values.get(*index) else {
                    return Err(QueryError::Invalid(format!(
                        "Invalid null value for column {}",
                        filter.name
                    )));
                };
                let values = collection::unpack_list(list).map_err(QueryError::Invalid)?;
                for value in &values {
                    cql::bind::term::validate(&filter.ty, value)?;
                }
                one(Operator::Eq, None, values)
            }
            FilterKind::Element(key, operator, value) => {
                let part = |expr: &cql::bind::Expr, what: &str| match expr.evaluate(ctx)? {
                    BoundValue::Value(bytes) => Ok(bytes),
                    BoundValue::Null => Err(QueryError::Invalid(format!(
                        "Unsupported null map {what} for column {}",
                        filter.name
                    ))),
                    BoundValue::Unset => Err(QueryError::Invalid(format!(
                        "Unsupported unset map {what} for column {}",
                        filter.name
                    ))),
                };
                one(*operator, Some(part(key, "key")?), vec![part(value, "value")?])
            }
            FilterKind::TupleIn(members, alternatives) => {
                let names = vec![filter.name.as_str(); members.len()];
                BoundFilter {
                    tuples: alternatives.evaluate(&names, ctx)?,
                    ..one(Operator::Eq, None, Vec::new())
                }
            }
        });
    }
    Ok(bound)
}

/// One execution under way.
struct Run<'r> {
    plan: &'r SelectPlan,
    ctx: &'r EvalContext<'r>,
    now_s: u32,
    filters: Vec<BoundFilter<'r>>,
    slices: Slices,
    per_partition: u64,
    /// Rows that LIMIT still allows.
    remaining: u64,
    /// Rows that this page still takes.
    page: u64,
    groups: Option<Groups>,
    /// Rows kept to be sorted: clustering order bytes, then values.
    sorted: Option<Vec<(Clustering, Vec<Value>)>>,
    outcome: SelectOutcome,
    scratch: Vec<Value>,
    parts: PlainParts,
    tombstones_count: u64,
    live_count: u64,
    rows_read_count: u64,
    started_us: i64,
}

/// Whether to go on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    GoOn,
    Stop,
}

impl Run<'_> {
    fn command(&self, partitions: PartitionSelection, slices: Slices) -> ReadCommand {
        ReadCommand { table: self.plan.table.clone(), partitions, slices, reversed: self.plan.reversed }
    }

    fn read_keys<S: RowSink>(
        &mut self,
        keys: &[PartitionKey],
        paging: Option<&PagingPosition>,
        source: &dyn RowSource,
        sink: &mut S,
    ) -> Result<(), QueryError> {
        // The keys are in the order of their values: the last page ended at one of them.
        let resumed = paging.and_then(|paging| keys.iter().position(|key| key.key == paging.partition_key));
        if paging.is_some() && resumed.is_none() {
            return Err(QueryError::Protocol("Invalid value for the paging state".to_owned()));
        }
        for (index, key) in keys.iter().enumerate().skip(resumed.unwrap_or(0)) {
            let mut slices = self.slices.clone();
            let mut in_partition = self.per_partition;
            let mut is_resumed = false;
            if let Some(paging) = paging.filter(|_| Some(index) == resumed) {
                slices = self.slices_after(&slices, paging);
                in_partition = u64::from(paging.remaining_in_partition);
                is_resumed = true;
                if in_partition == 0 || paging.is_partition_done(&slices) {
                    continue;
                }
            }
            let command = self.command(PartitionSelection::Key(key.clone()), slices);
            let mut partitions = source.read(command)?;
            while let Some(mut partition) = next_partition(&mut *partitions)? {
                if self.read_partition(&mut *partition, in_partition, is_resumed, sink)? == Flow::Stop {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn read_range<S: RowSink>(
        &mut self,
        paging: Option<&PagingPosition>,
        source: &dyn RowSource,
        sink: &mut S,
    ) -> Result<(), QueryError> {
        let Partitions::Range { lower, upper } = &self.plan.partitions else { return Ok(()) };
        let mut start = match lower {
            Some((expr, inclusive)) => Some(token_position(
                expr,
                if *inclusive { Place::BeforeAll } else { Place::AfterAll },
                self.ctx,
            )?),
            None => None,
        };
        let mut end = match upper {
            Some((expr, inclusive)) => Some(token_position(
                expr,
                if *inclusive { Place::AfterAll } else { Place::BeforeAll },
                self.ctx,
            )?),
            None => None,
        };
        // As an upper bound the minimum token means the end of the ring.
        if end.as_ref().is_some_and(|end| end.token == Token::MIN) {
            end = None;
        }
        if let (Some(start), Some(end)) = (&start, &end)
            && start >= end
        {
            return Ok(());
        }
        if let Some(paging) = paging {
            let key = PartitionKey::new(paging.partition_key.clone());
            let position = Position { token: key.token, place: Place::Key(key.key.clone()) };
            let in_range = start.as_ref().is_none_or(|start| position > *start)
                && end.as_ref().is_none_or(|end| position <= *end);
            let slices = self.slices_after(&self.slices, paging);
            if in_range && paging.remaining_in_partition > 0 && !paging.is_partition_done(&slices) {
                let command = self.command(PartitionSelection::Key(key), slices);
                let mut partitions = source.read(command)?;
                while let Some(mut partition) = next_partition(&mut *partitions)? {
                    let left = u64::from(paging.remaining_in_partition);
                    if self.read_partition(&mut *partition, left, true, sink)? == Flow::Stop {
                        return Ok(());
                    }
                }
            }
            start = Some(position);
        }
        let command = self.command(PartitionSelection::Range { start, end }, self.slices.clone());
        let mut partitions = source.read(command)?;
        while let Some(mut partition) = next_partition(&mut *partitions)? {
            if self.read_partition(&mut *partition, self.per_partition, false, sink)? == Flow::Stop {
                return Ok(());
            }
        }
        Ok(())
    }

    /// What is left of the slices behind the row where the last page ended.
    fn slices_after(&self, slices: &Slices, paging: &PagingPosition) -> Slices {
        let Some(values) = &paging.row else { return slices.clone() };
        if self.plan.distinct || self.plan.table.clustering.is_empty() {
            return Slices(Vec::new());
        }
        let types = self.plan.table.clustering_types();
        let values: Vec<Value> = values.clone();
        let after = Bound::new(BoundKind::ExclusiveStart, values.clone(), &types);
        let before = Bound::new(BoundKind::ExclusiveEnd, values, &types);
        let cut = slices.0.iter().filter_map(|slice| {
            let mut slice: Slice = slice.clone();
            if self.plan.reversed {
                if before.order < slice.end.order {
                    slice.end = before.clone();
                }
            } else if after.order > slice.start.order {
                slice.start = after.clone();
            }
            (slice.start.order < slice.end.order).then_some(slice)
        });
        Slices(cut.collect())
    }

    fn read_partition<S: RowSink>(
        &mut self,
        partition: &mut dyn PartitionStream,
        in_partition: u64,
        is_resumed: bool,
        sink: &mut S,
    ) -> Result<Flow, QueryError> {
        let header = partition.header().clone();
        let key_columns = self.plan.table.partition_key.len();
        let components = header.key.components(key_columns).ok_or_else(|| {
            QueryError::Server(format!(
                "a partition key of {} does not have its columns",
                self.plan.table.name
            ))
        })?;
        let static_row = header.static_row.filter(|row| is_live(row, self.now_s));
        let mut left = in_partition;
        let mut found = false;
        if !(self.plan.distinct && static_row.is_some()) {
            let mut parts = std::mem::take(&mut self.parts);
            let live_before = self.live_count;
            let mut read = |run: &mut Self, row: RowRef<'_>| {
                let view = RowView {
                    key: &components,
                    statics: static_row.as_ref(),
                    row: Some(row),
                    now_s: run.now_s,
                };
                run.read_row(&view, row, &header.key, &mut left, sink)
            };
            let end = loop {
                let mut end = Ok(None);
                let take = &mut |row: &PlainRow<'_>| match read(self, RowRef::Plain(row)) {
                    Ok(None) => ControlFlow::Continue(()),
                    other => {
                        end = other;
                        ControlFlow::Break(())
                    }
                };
                partition.plain_rows(&mut parts, take).map_err(source_failed)?;
                if let Some(flow) = end? {
                    break flow;
                }
                match partition.next().map_err(source_failed)? {
                    Some(Unfiltered::Row(row)) => {
                        if let Some(flow) = read(self, RowRef::Whole(&row))? {
                            break flow;
                        }
                    }
                    Some(Unfiltered::Marker(_)) => self.count_tombstone(&header.key)?,
                    None => break Flow::GoOn,
                }
            };
            self.parts = parts;
            if end == Flow::Stop {
                return Ok(end);
            }
            found = self.live_count > live_before;
        }
        if !found && !is_resumed && static_row.is_some() && !self.plan.restricts_rows() && left > 0 {
            let view =
                RowView { key: &components, statics: static_row.as_ref(), row: None, now_s: self.now_s };
            if self.passes(&view)? {
                return self.take(&view, &header.key, &mut left, sink);
            }
        }
        Ok(Flow::GoOn)
    }

    /// A row that was read; `None`: the next one is wanted, else how to go on behind the partition.
    #[inline]
    fn read_row<S: RowSink>(
        &mut self,
        view: &RowView<'_>,
        row: RowRef<'_>,
        key: &PartitionKey,
        left: &mut u64,
        sink: &mut S,
    ) -> Result<Option<Flow>, QueryError> {
        self.look_at_clock()?;
        if !row.is_live(self.now_s) {
            self.count_tombstone(key)?;
            return Ok(None);
        }
        self.live_count += 1;
        if !self.passes(view)? {
            return Ok(None);
        }
        let is_new = self.groups.as_ref().is_none_or(|groups| groups.starts_new(self.plan, view));
        if *left == 0 && is_new {
            return Ok(Some(Flow::GoOn));
        }
        Ok(match self.take(view, key, left, sink)? {
            Flow::GoOn if (*left > 0 || self.plan.group_by.is_some()) && !self.plan.distinct => None,
            flow => Some(flow),
        })
    }

    /// One row of the result, or one more of a group.
    #[inline]
    fn take<S: RowSink>(
        &mut self,
        view: &RowView<'_>,
        key: &PartitionKey,
        left: &mut u64,
        sink: &mut S,
    ) -> Result<Flow, QueryError> {
        if let Some(mut groups) = self.groups.take() {
            let flow = self.take_into_group(&mut groups, view, key, left, sink);
            self.groups = Some(groups);
            return flow;
        }
        *left -= 1;
        self.remaining -= 1;
        self.outcome.rows_count += 1;
        if let Some(sorted) = &mut self.sorted {
            let mut values = Vec::with_capacity(self.plan.selection.columns.len());
            for column in &self.plan.selection.columns {
                values.push(evaluate(&column.selector, view, self.ctx, &[])?);
            }
            let place = view.row.map_or(Clustering::EMPTY, |row| row.clustering());
            sorted.push((place, values));
            return Ok(Flow::GoOn);
        }
        self.emit(view, sink)?;
        if sink.is_full() {
            return Err(QueryError::Invalid(format!(
                "The result is larger than {REPLY_MAX_BYTES} bytes; ask for pages (a fetch size) or use LIMIT"
            )));
        }
        if self.remaining == 0 {
            return Ok(Flow::Stop);
        }
        self.page = self.page.saturating_sub(1);
        if self.page == 0 {
            self.outcome.next_page = Some(self.position(key, view.row.map(|row| row.clustering()), *left));
            return Ok(Flow::Stop);
        }
        Ok(Flow::GoOn)
    }

    fn position(&self, key: &PartitionKey, clustering: Option<Clustering>, left: u64) -> PagingPosition {
        PagingPosition {
            partition_key: key.key.clone(),
            row: clustering.map(|clustering| clustering.values),
            remaining: u32::try_from(self.remaining).unwrap_or(u32::MAX),
            remaining_in_partition: u32::try_from(left).unwrap_or(u32::MAX),
        }
    }

    fn take_into_group<S: RowSink>(
        &mut self,
        groups: &mut Groups,
        view: &RowView<'_>,
        key: &PartitionKey,
        left: &mut u64,
        sink: &mut S,
    ) -> Result<Flow, QueryError> {
        let is_new = groups.starts_new(self.plan, view) || !groups.is_open();
        if is_new && groups.is_open() {
            let last = groups.last_row();
            self.emit_group(groups, sink)?;
            if self.remaining == 0 {
                return Ok(Flow::Stop);
            }
            self.page = self.page.saturating_sub(1);
            if self.page == 0 {
                self.outcome.next_page =
                    last.map(|last| self.position(&last.key, last.clustering, last.left));
                return Ok(Flow::Stop);
            }
        }
        // PER PARTITION LIMIT counts groups; where there are none it is DISTINCT's one row.
        if is_new || self.plan.group_by.is_none() {
            *left = left.saturating_sub(1);
        }
        // Where all rows are one group nobody goes on behind it.
        let clustering = view.row.filter(|_| self.plan.group_by.is_some()).map(|row| row.clustering());
        groups.add(self.plan, view, LastRow { key: key.clone(), clustering, left: *left }, self.ctx)?;
        Ok(Flow::GoOn)
    }

    fn emit_group<S: RowSink>(&mut self, groups: &mut Groups, sink: &mut S) -> Result<(), QueryError> {
        let values = groups.finish(self.plan, self.ctx)?;
        match &mut self.sorted {
            Some(sorted) => sorted.push((groups.first_clustering().clone(), values)),
            None => self.write_values(&values, sink),
        }
        self.remaining = self.remaining.saturating_sub(1);
        self.outcome.rows_count += 1;
        Ok(())
    }

    #[inline(always)]
    fn emit<S: RowSink>(&mut self, view: &RowView<'_>, sink: &mut S) -> Result<(), QueryError> {
        if let (Some(plain), false) = (&self.plan.selection.plain, self.plan.json) {
            for access in plain {
                sink.value(view.simple(*access));
            }
            sink.end_row();
            return Ok(());
        }
        let mut values = std::mem::take(&mut self.scratch);
        values.clear();
        for column in &self.plan.selection.columns {
            values.push(evaluate(&column.selector, view, self.ctx, &[])?);
        }
        self.write_values(&values, sink);
        self.scratch = values;
        Ok(())
    }

    fn write_values<S: RowSink>(&self, values: &[Value], sink: &mut S) {
        if self.plan.json {
            let text = row::json_row(&self.plan.selection, values);
            sink.value(Some(text.as_bytes()));
        } else {
            for value in values {
                sink.value(value.as_deref());
            }
        }
        sink.end_row();
    }

    #[inline]
    fn passes(&self, view: &RowView<'_>) -> Result<bool, QueryError> {
        for bound in &self.filters {
            if let FilterKind::TupleIn(members, _) = &bound.filter.kind {
                let is_equal = |wanted: &Vec<bytes::Bytes>| {
                    members.iter().zip(wanted).all(|((access, ty), wanted)| {
                        row::column_value(*access, ty, view)
                            .is_some_and(|value| row::compare(ty, &value, Operator::Eq, wanted))
                    })
                };
                if !bound.tuples.iter().any(is_equal) {
                    return Ok(false);
                }
                continue;
            }
            let value = row::column_value(bound.filter.access, &bound.filter.ty, view);
            let Some(value) = value else { return Ok(false) };
            if !row::test(&bound.filter.ty, &value, bound.operator, bound.key.as_ref(), &bound.values)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Gives up a read that takes too long; one that reads much goes to a thread of its own first. What is aggregated
    /// into one row may take its time: Cassandra reads it in pages, each with a time of its own.
    #[inline(always)]
    fn look_at_clock(&mut self) -> Result<(), QueryError> {
        self.rows_read_count += 1;
        if self.rows_read_count.is_multiple_of(ROWS_BETWEEN_LOOKS) { self.check_clock() } else { Ok(()) }
    }

    #[cold]
    fn check_clock(&mut self) -> Result<(), QueryError> {
        let is_long = self.rows_read_count >= ROWS_ON_THREAD_MAX && storage::leave_thread();
        let may_take_time = self.groups.is_some() && self.plan.group_by.is_none();
        if is_long || (!may_take_time && self.ctx.source.now_us() - self.started_us > READ_TIMEOUT_US) {
            return Err(QueryError::ReadTimeout {
                consistency: 1,
                received: 0,
                required: 1,
                data_present: false,
            });
        }
        Ok(())
    }

    fn count_tombstone(&mut self, key: &PartitionKey) -> Result<(), QueryError> {
        self.tombstones_count += 1;
        if self.tombstones_count > TOMBSTONE_FAIL_COUNT {
            return Err(QueryError::ReadFailure {
                consistency: 1,
                received: 0,
                required: 1,
                data_present: false,
                reasons: vec![(std::net::IpAddr::from([127, 0, 0, 1]), 1)],
            });
        }
        let _ = key;
        Ok(())
    }

    fn warn_about_aggregation(&mut self) {
        if self.groups.is_none() {
            return;
        }
        let warning = match &self.plan.partitions {
            Partitions::Keys(keys) if keys.has_in() => {
                "Aggregation query used on multiple partition keys (IN restriction)"
            }
            Partitions::Range { lower: None, upper: None } if !self.restricts_partition_key() => {
                "Aggregation query used without partition key"
            }
            _ => return,
        };
        self.outcome.warnings.push(warning.to_owned());
    }

    fn restricts_partition_key(&self) -> bool {
        self.filters.iter().any(|bound| matches!(bound.filter.access, Access::PartitionKey(_)))
    }

    fn finish<S: RowSink>(mut self, sink: &mut S) -> Result<SelectOutcome, QueryError> {
        if let Some(mut groups) = self.groups.take() {
            let is_whole = self.plan.group_by.is_none();
            let goes_on = self.outcome.next_page.is_some() || self.remaining == 0;
            if is_whole || (groups.is_open() && !goes_on) {
                let last = groups.last_row();
                self.emit_group(&mut groups, sink)?;
                self.page = self.page.saturating_sub(1);
                // A full page says that there may be more, also where nothing follows.
                if let (0, Some(last), false) = (self.page, last, is_whole || self.remaining == 0) {
                    self.outcome.next_page = Some(self.position(&last.key, last.clustering, last.left));
                }
            }
        }
        if let Some(mut sorted) = self.sorted.take() {
            sorted.sort_by(|a, b| if self.plan.reversed { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) });
            for (_, values) in &sorted {
                self.write_values(values, sink);
            }
        }
        if self.tombstones_count > TOMBSTONE_WARN_COUNT {
            self.outcome.warnings.push(format!(
                "Read {} live rows and {} tombstone cells for query on {}.{} (see tombstone_warn_threshold)",
                self.live_count, self.tombstones_count, self.plan.table.keyspace, self.plan.table.name
            ));
        }
        Ok(self.outcome)
    }
}

fn token_position(
    expr: &cql::bind::Expr,
    place: Place,
    ctx: &EvalContext<'_>,
) -> Result<Position, QueryError> {
    match expr.evaluate(ctx)? {
        BoundValue::Value(bytes) => {
            let bytes: [u8; 8] =
                bytes.as_ref().try_into().map_err(|_| QueryError::invalid("Invalid null token value"))?;
            Ok(Position { token: Token(i64::from_be_bytes(bytes)), place })
        }
        _ => Err(QueryError::invalid("Invalid null token value")),
    }
}

fn next_partition(
    partitions: &mut dyn PartitionIterator,
) -> Result<Option<Box<dyn PartitionStream>>, QueryError> {
    partitions.next_partition().map_err(source_failed)
}

fn source_failed(error: model::partition::SourceError) -> QueryError {
    QueryError::Server(format!("read failed: {error}"))
}

/// A static or regular row for tests of liveness.
pub fn row_is_live(row: &Row, now_s: u32) -> bool {
    is_live(row, now_s)
}

#[cfg(test)]
mod tests;
