//! Rows that are written from where they stand give the same files as rows that are taken out.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use model::codec::{encode_row, plain_parts};
use model::partition::{PartitionStream, SourceError, TakePlain};
use model::{PartitionHeader, PlainParts, PlainRow, Unfiltered};
use runtime::Disk;
use runtime::sim::SimDisk;
use stdx::prng::Prng;

use super::random::{Case, SsTableBytes};
use super::support::Partition;
use crate::{Descriptor, Writer};

/// A partition that shows its plain rows in place, as a memtable does.
struct PackedStream {
    header: PartitionHeader,
    items: VecDeque<Unfiltered>,
    prng: Prng,
    /// Rows that were shown in place.
    shown_count: u64,
}

impl PackedStream {
    fn of(partition: &Partition, prng: Prng) -> PackedStream {
        let (header, items) = (partition.header.clone(), partition.items.clone().into());
        PackedStream { header, items, prng, shown_count: 0 }
    }
}

impl PartitionStream for PackedStream {
    fn header(&self) -> &PartitionHeader {
        &self.header
    }

    fn next(&mut self) -> Result<Option<Unfiltered>, SourceError> {
        Ok(self.items.pop_front())
    }

    fn plain_rows(&mut self, parts: &mut PlainParts, take: TakePlain<'_>) -> Result<u64, SourceError> {
        let mut count = 0;
        while let Some(Unfiltered::Row(row)) = self.items.front() {
            let mut packed = Vec::new();
            encode_row(row, &mut packed);
            let Some(order) = plain_parts(&packed, parts).filter(|_| self.prng.chance(0.9)) else { break };
            self.items.pop_front();
            count += 1;
            let flow = take(&PlainRow { bytes: &packed, order: order.of(&packed), parts });
            if flow.is_break() {
                break;
            }
        }
        self.shown_count += count;
        Ok(count)
    }
}

#[test]
fn rows_in_place_give_the_same_files() {
    let mut shown_count = 0;
    for seed in 0..300 {
        let mut prng = Prng::from_seed(seed);
        let case = Case::random(&mut prng);
        let (one, other): (Arc<dyn Disk>, Arc<dyn Disk>) =
            (Arc::new(SimDisk::new(seed)), Arc::new(SimDisk::new(seed)));
        let taken_out = SsTableBytes::of(&one, &case.write(&one));
        other.create_dir_all(Path::new("/t")).unwrap();
        let descriptor = Descriptor::new("/t", 1);
        let mut writer = Writer::create(&other, &descriptor, &case.table, case.options.clone()).unwrap();
        for partition in &case.partitions {
            let mut stream = PackedStream::of(partition, prng.fork());
            writer.append(&mut stream).unwrap();
            shown_count += stream.shown_count;
        }
        writer.finish().unwrap();
        assert!(SsTableBytes::of(&other, &descriptor) == taken_out, "seed {seed}");
    }
    assert!(shown_count > 1_000, "only {shown_count} rows were written in place");
}
